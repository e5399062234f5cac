"""What a model of digitmill is for, and what it must not be used for. Each new card contains both.

M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, https://arxiv.org/abs/1810.03993, section 4.2, ask for
this.
"""

from typing import Final

INTENDED_USE: Final = (
    "Recognising a single handwritten digit, 0 to 9, in an image: for example a cut-out of a scanned form, a "
    "photograph of a note, or a drawing on a screen. Each answer has a confidence, so that people can check the "
    "doubtful ones."
)

NOT_FOR: Final = (
    (
        "Images that show anything but one digit: numbers, letters, signs, numerals of other scripts. The model has no "
        "class for them and always names a digit. Many of them get a low confidence, but not all."
    ),
    (
        "Unchecked decisions about people, money, health or safety, such as amounts on cheques, doses, ballots or "
        "examination marks. If 99.5 % of the digits are right, one six-digit number in 34 is wrong."
    ),
    (
        "Promises about your own images. The figures hold for the test images that they name. Census workers and "
        "high-school students in the United States wrote MNIST's digits around 1990. The model is less accurate with "
        "other handwriting, pens and cameras. Measure its accuracy on labelled images of your own."
    ),
    "Images that are made to deceive it (adversarial examples). The model does not resist attackers.",
    "Identifying writers, or learning anything about them.",
)
