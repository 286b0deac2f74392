"""The files that a comparison is of: a model under each scheme, and why some cannot be made."""

import contextlib
import gc

from qkit import validate
from qkit.data import drawn, first_line
from qkit.evaluate.accuracy import require_same_classes
from qkit.networks import network
from qkit.toolchain.aware import quantization_aware
from qkit.toolchain.convert import checked_calibration, checked_source, convert
from qkit.toolchain.schemes import SCHEMES, find_scheme
from qkit.toolchain.techniques import TECHNIQUES, train_missing

REFERENCE = "float32"
CONTROL = "control"
CONTROLS = {"float32": "control_float32", "full_integer": "control_full_integer"}
_LABELS = SCHEMES["qat"].needs
_CALIBRATION_IMAGES = 300
_FOLDER_CALIBRATION_IMAGES = 100  # which are larger
_NO_CONTROL = (
    "not measured: pass trained={…, 'control': …}, a float model trained for the epochs that QAT "
    "got on top"
)


def checked(trained):
    """Return the trained models by technique, or say which names there are."""
    trained = dict(trained or {})
    for name in trained:
        if name not in (*TECHNIQUES, CONTROL):
            raise ValueError(
                f"compare: trained has {name!r}, which is no technique. There are: "
                f"{', '.join(TECHNIQUES)}; and {CONTROL!r}."
            )
    return trained


def chosen(schemes, trained):
    """Return the schemes to convert under, the float32 reference first."""
    if isinstance(schemes, str):
        raise TypeError(f"compare: schemes must be a list: write [{schemes!r}], not {schemes!r}")
    if schemes is None:
        found = [s for s in SCHEMES.values() if not s.technique or s.technique in trained]
    else:
        found = [find_scheme(scheme) for scheme in schemes]
    reference = SCHEMES[REFERENCE]
    return [reference, *(scheme for scheme in found if scheme != reference)]


def calibration_images(model, data, images, given, metric):
    """Return the images that ranges are chosen from; refuse what does not fit the model."""
    if given is None and images is None and data is None:
        raise ValueError(
            "compare: images to run and to choose ranges from are missing: pass data, "
            "calibration=…, an array of a few, or images=…, a folder of labelled ones."
        )
    if images is not None and metric is not None:
        raise ValueError("compare: images=… bear class numbers; a metric takes data, with arrays.")
    shape = classes = None
    if hasattr(model, "layers"):
        opened = network(model, what="compare")
        shape, classes = opened.shapes(what="compare", classifier=metric is None)
    if images is not None and classes is not None:
        require_same_classes(images, classes[0])
    if given is None and data is not None:
        given = drawn(data.x_train, _CALIBRATION_IMAGES)
    if given is None:
        given = images.sample(_FOLDER_CALIBRATION_IMAGES)
    return validate.images(given, shape, what="compare: calibration")


def require_fit(schemes, trained, calibration):
    """Refuse what a user passes in and does not fit: that is a mistake to mend, and no row."""
    for name, source in trained.items():
        scheme = SCHEMES["full_integer" if name == CONTROL else name]
        opened = checked_source(source, scheme, calibration)
        if hasattr(opened, "inputs"):
            shape, _ = opened.shapes(what=f"compare: trained[{name!r}]", classifier=False)
            what = f"compare: trained[{name!r}] is of another model: its images"
            validate.images(calibration[:1], shape, what=what)
    for scheme in schemes:
        if scheme.calibrated:
            checked_calibration(calibration, scheme)


def train(schemes, model, data, trained, calibration):
    """Add what the schemes ask for to `trained`; return why what cannot be trained cannot."""
    missing = {}
    for scheme in schemes:
        if data is None and scheme.technique not in ("", "qat", *trained):
            raise ValueError(
                f"compare: {scheme.name!r} wants a model that training made: pass data to train "
                f"on, or trained={{{scheme.technique!r}: …}}."
            )
        if data is not None:
            with _refusals(missing, scheme.name):
                trained |= train_missing([scheme.technique], model, data, trained, calibration)
    return missing


def converted(schemes, model, trained, calibration, missing, show):
    """Return the files and what each needs; add to `missing` what is refused."""
    models, needs = {}, {}
    for scheme in schemes:
        if scheme.name in missing:
            continue
        show(f"converting: {scheme.name} …")
        with _refusals(missing, scheme.name):
            source = trained.get(scheme.technique, model)
            if scheme.technique and scheme.technique not in trained:
                source = quantization_aware(model, calibration=calibration)
            models[scheme.name] = convert(source, scheme, calibration)
            needs[scheme.name] = _LABELS if scheme.technique else scheme.needs
        source = None
        gc.collect()  # Keras models refer to themselves, and keep their weights until then
    for name, row in CONTROLS.items() if "qat" in trained else ():
        if CONTROL not in trained:
            missing[row] = _NO_CONTROL
            continue
        with _refusals(missing, row):
            models[row] = convert(trained[CONTROL], name, calibration)
            needs[row] = _LABELS
    return models, needs


@contextlib.contextmanager
def _refusals(missing, name):
    """Turn what the tool chain says against a row into its reason, in one sentence."""
    try:
        yield
    except (ValueError, RuntimeError) as error:  # the converter raises either
        if name == REFERENCE:  # nothing to hold the others against
            raise
        missing[name] = f"not possible: {_first_sentence(error)}"


def _first_sentence(error):
    return first_line(error).partition(". ")[0].rstrip(".")
