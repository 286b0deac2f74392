"""The answers of several models to one image are those that each gives alone."""

from types import MappingProxyType

import numpy as np
import pytest
from scipy.special import softmax

import qkit as qk
from qkit.evaluate.digit import DigitAnswers, open_classifiers, scores

SCHEMES = ("float32", "full_integer", "full_integer_int8_io", "int16_activations")


@pytest.fixture(scope="module")
def models(tflite):
    return {name: tflite(name) for name in SCHEMES}


def made_up(**probabilities):
    found = {name: np.array(p, float) for name, p in probabilities.items()}
    return DigitAnswers(MappingProxyType(found), next(iter(found)))


def test_probabilities_are_the_softmax_of_each_models_scores(models, digits):
    ask = open_classifiers(models)
    for image in digits.x_test[:10]:
        found = ask(image)
        assert list(found.probabilities) == list(SCHEMES)
        for name, p in found.probabilities.items():
            expected = softmax(scores(models[name], image[None], batched=False)[0].astype(float))
            np.testing.assert_allclose(p, expected, rtol=1e-4, atol=1e-9)


def test_one_image_is_not_answered_with_the_last_one(models, digits):
    ask = open_classifiers(models)
    first, other = digits.x_test[0], digits.x_test[1]
    before = ask(first).probabilities
    assert any((before[name] != p).any() for name, p in ask(other).probabilities.items())
    for name, p in ask(first).probabilities.items():
        assert np.array_equal(p, before[name])


def test_a_model_that_ends_in_softmax_is_not_softmaxed_again(tf, toy_model, toy_data):
    logits = toy_model()
    probable = tf.keras.Sequential([*logits.layers, tf.keras.layers.Softmax()])
    probable.build((None, 4, 4))
    files = {
        "logits": qk.convert(logits, "float32"),
        "softmax": qk.convert(probable, "float32"),
        "softmax int8": qk.convert(probable, "full_integer_int8_io", toy_data.x_train),
    }
    found = qk.digit_answers(files, toy_data.x_test[0])
    np.testing.assert_allclose(found.differences["softmax"], 0, atol=1e-6)
    np.testing.assert_allclose(found.differences["softmax int8"], 0, atol=0.02)
    assert found.probabilities["softmax int8"].sum() == pytest.approx(1)


def test_an_image_of_as_many_values_fits_whatever_its_shape(toy_tflite, toy_data):
    image = toy_data.x_test[0]
    flat, tall = (qk.digit_answers({"toy": toy_tflite}, seen) for seen in (image, image[..., None]))
    assert np.array_equal(flat.probabilities["toy"], tall.probabilities["toy"])


def test_summary_says_who_agrees_and_by_how_much():
    found = made_up(float32=[0.1, 0.7, 0.2], full_integer=[0.1, 0.65, 0.25])
    assert found.summary() == (
        "All 2 models answer 1. float32 gives 1 the probability 0.7000, 0.5000 ahead of 2. "
        "Largest difference from it in any class: full_integer 0.05."
    )


def test_summary_of_models_that_disagree_and_of_one_alone():
    found = made_up(float32=[0.1, 0.5, 0.4], a=[0.1, 0.4, 0.5], b=[0.1, 0.5, 0.4])
    assert found.summary().startswith("The models disagree (1: float32, b; 2: a). float32 gives 1")
    alone = made_up(a=[0.1, 0.4, 0.5]).summary()
    assert alone == "a answers 2. a gives 2 the probability 0.5000, 0.1000 ahead of 1."


def test_names_choose_models_and_the_first_is_the_reference_without_float32(models, digits):
    found = open_classifiers(models)(digits.x_test[0], names=["int16_activations", "full_integer"])
    assert found.reference == "int16_activations"
    assert list(found.differences) == ["full_integer"]


def test_what_does_not_fit_is_refused(models, toy_tflite):
    with pytest.raises(ValueError, match=r"at least one entry.*got dict without entries"):
        open_classifiers({})
    with pytest.raises(ValueError, match=r"a dict of name → \.tflite bytes.*got bytes"):
        open_classifiers(b"")
    with pytest.raises(ValueError, match=r"'float32' takes 784 values.*'toy' 16 and 3"):
        open_classifiers({**models, "toy": toy_tflite})
    with pytest.raises(ValueError, match=r"the image has the shape \(4, 4\)"):
        qk.digit_answers(models, np.zeros((4, 4)))
    with pytest.raises(TypeError, match="floating point"):
        qk.digit_answers(models, np.zeros((28, 28), np.uint8))
