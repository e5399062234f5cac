"""A training computes in bfloat16 only where the processor has instructions for matrices of it."""

import pytest


@pytest.mark.parametrize(
    ("flags", "policy"),
    [
        ("fpu avx512f amx_bf16 amx_tile", "mixed_bfloat16"),
        ("fpu avx512f avx512_bf16", "float32"),
        ("", "float32"),
        (None, "float32"),
    ],
    ids=["matrices", "vectors alone", "neither", "not Linux"],
)
@pytest.mark.usefixtures("network")
def test_the_processor_decides(tmp_path, flags, policy):
    """Linux lists the processor's instructions. Where that list is missing, float32 is safe."""
    from model.training.precision import fastest

    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(f"processor : 0\nflags : {flags}\n", encoding="utf-8")
    assert fastest(path) == policy


def test_only_layers_inside_the_context_compute_in_its_policy(network):
    """Weights and logits of a network in bfloat16 are float32 all the same."""
    from model.training.precision import MIXED, computing_in

    with computing_in(MIXED):
        inside = network.build()
    outside = network.build()
    assert {layer.compute_dtype for layer in inside.layers[:-1]} == {"bfloat16"}
    assert inside.layers[-1].compute_dtype == "float32"
    assert {layer.compute_dtype for layer in outside.layers} == {"float32"}
    assert {variable.dtype for variable in inside.trainable_variables} == {"float32"}
