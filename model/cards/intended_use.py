"""What a model of digitmill is for, and what it must not be used for: it stands on every card.

M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, https://arxiv.org/abs/1810.03993,
section 4.2, ask for it.
"""

from typing import Final

INTENDED_USE: Final = (
    "Naming the one handwritten digit, 0 to 9, on an image, such as a cut-out of a scanned form, a photograph of a "
    "note or a drawing on a screen; with a confidence, so that people can look at what is doubtful."
)

NOT_FOR: Final = (
    (
        "Anything but one digit an image: numbers, letters, signs, the numerals of other scripts. It has no class for "
        "them and always names a digit; a low confidence gives many of them away, but not all."
    ),
    (
        "Decisions about people, money, health or safety that nothing else checks, such as amounts on cheques, doses, "
        "ballots or examination marks. Where 99.5 % of digits are right, one number of six digits in 34 is wrong."
    ),
    (
        "A promise about your images: the figures are of the test images that are named with them. MNIST's are by "
        "census workers and high-school students of the United States around 1990; other hands, pens and cameras are "
        "read less well. Measure on labelled images of your own."
    ),
    "Images made to deceive it: nothing here resists an attacker (adversarial examples).",
    "Telling who wrote something, or anything about them.",
)
