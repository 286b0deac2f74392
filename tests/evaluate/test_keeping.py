"""A comparison comes back from its file as it was, and what is no such file is refused."""

import io
import json
import pickle
import pickletools
import re
import zipfile

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate import keeping
from qkit.evaluate.shortlist import shortlist


@pytest.fixture(scope="module")
def compared(tflite, digits):
    """Return a function that measures files on some digits, quickly, without TensorFlow."""

    def compare(data, **options):
        extra = {"full_integer": tflite("full_integer")}
        return qk.compare(tflite("float32"), data, [], extra=extra, **options)

    return compare


def mean_error(y, outputs):
    return float(np.abs(outputs - np.eye(10)[y]).mean())


KINDS = {
    "accuracy": lambda d: ((d.x_test[:60], d.y_test[:60]), {}),
    "a named metric": lambda d: ((d.x_test[:20], np.eye(10)[d.y_test[:20]]), {"metric": "RMSE"}),
    "a metric of one's own": lambda d: ((d.x_test[:20], d.y_test[:20]), {"metric": mean_error}),
    "without labels": lambda d: (d.x_test[:20], {}),
    "without data": lambda d: (None, {"calibration": d.x_train[:20]}),
}


@pytest.fixture(scope="module", params=KINDS)
def saved(request, compared, digits, tmp_path_factory):
    """Return a comparison of each kind, and the file that it was saved to."""
    data, options = KINDS[request.param](digits)
    found = compared(data, **options)
    return found, found.save(tmp_path_factory.mktemp("kept") / "a comparison.qkit")


def same(a, b):
    assert a.to_frame().equals(b.to_frame())
    assert a.notes() == b.notes()
    assert (repr(a), str(a), a._repr_markdown_()) == (repr(b), str(b), b._repr_markdown_())
    assert a.models == b.models


def test_it_comes_back_equal(saved):
    found, path = saved
    again = qk.load_comparison(str(path))
    same(found, again)
    assert again.provenance.to_frame().equals(found.provenance.to_frame())
    assert {k: size.entropy_coded_bytes for k, size in again.sizes.items()} == {
        k: size.entropy_coded_bytes for k, size in found.sizes.items()
    }
    assert again.save(path.with_name("again.qkit")).exists()
    same(found, qk.load_comparison(path.with_name("again.qkit")))


def test_pictures_and_lists_take_it_as_any_other(saved, figures):
    again = qk.load_comparison(saved[1])
    qk.plot_latencies(again)
    qk.plot_sizes(again)
    assert qk.tradeoff(again, "file size, kB", "latency, µs").points
    assert "full_integer" in shortlist(again, size_bytes=30_000).chosen
    if again.accuracies:
        qk.plot_accuracies(again)


def test_refused_rows_and_device_latencies_are_kept(hand_made, tmp_path):
    line = "Inference timings in us: Init: 1, Inference (avg): 6.5"
    found = hand_made(
        {"float32": (range(20), 80, 10), "<b>mine|": (range(18), 41, 10, "–")},
        not_measured={"qat": "not possible: it has no weights"},
    ).with_device_latency({"<b>mine|": qk.device_latency(line, device="a phone")})
    again = qk.load_comparison(found.save(tmp_path / "it.qkit"))
    same(found, again)
    assert again.provenance is None
    assert again.device["<b>mine|"].device == "a phone"
    assert again.paired["<b>mine|"].row == found.paired["<b>mine|"].row


def test_provenance_tells_machine_versions_day_and_items(compared, digits):
    x, y = digits.x_test[:20], digits.y_test[:20]
    first, again = compared((x, y)).provenance, compared((x.copy(), y)).provenance
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", first.date)
    assert first.qkit == qk.__version__
    assert first.environment.cpu == qk.environment().cpu
    assert first.same_items(again)
    assert not first.other_machine(again)
    for other in ((x[::-1], y), (x, (y + 1) % 10), (x[:19], y[:19])):
        assert not first.same_items(compared(other).provenance)
    none = compared(None, calibration=x).provenance
    assert none.items_sha256 == ""
    assert not none.same_items(none), "of no items, nothing is known"


def test_a_metric_of_ones_own_leaves_its_functions_behind(compared, digits, tmp_path):
    found = compared((digits.x_test[:20], digits.y_test[:20]), metric=mean_error)
    score = qk.load_comparison(found.save(tmp_path / "it.qkit")).accuracies["full_integer"]
    assert score.summary() == found.accuracies["full_integer"].summary()
    assert score.tallies is None, "which only its own metric could read"
    with pytest.raises(ValueError, match="keeps figures and not functions"):
        score.metric.score(score.tallies, np.ones(20))


def test_whatever_a_metric_counts_it_can_be_saved(compared, digits, tmp_path):
    def tallies(outputs, y):
        return [{"right": bool(right)} for right in outputs.argmax(axis=1) == y]

    def score(tallies, weights):
        return float(np.dot([each["right"] for each in tallies], weights) / weights.sum())

    metric = qk.Metric("right", "", True, tallies, score)
    found = compared((digits.x_test[:20], digits.y_test[:20]), metric=metric)
    same(found, qk.load_comparison(found.save(tmp_path / "it.qkit")))


def test_there_is_no_pickle_in_it_and_none_is_read(saved, tmp_path):
    class Bad:
        def __reduce__(self):
            return pytest.fail, ("it was run",)

    path = tmp_path / "bad.qkit"
    with zipfile.ZipFile(saved[1]) as kept, zipfile.ZipFile(path, "w") as bad:
        for name in kept.namelist():
            content = kept.read(name)
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it says, it is none
                list(pickletools.genops(content))
            if name.endswith(".npy"):
                held = io.BytesIO()
                np.lib.format.write_array(held, np.array([Bad()]), allow_pickle=True)
                content = held.getvalue()
            bad.writestr(name, content)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        qk.load_comparison(path)
    path.write_bytes(pickle.dumps(Bad()))
    with pytest.raises(ValueError, match="cannot be read"):
        qk.load_comparison(path)


@pytest.fixture(scope="module")
def content(compared, digits, tmp_path_factory):
    found = compared((digits.x_test[:20], digits.y_test[:20]))
    return found.save(tmp_path_factory.mktemp("kept") / "it.qkit").read_bytes()


def test_a_file_that_is_cut_is_refused(content, tmp_path):
    path = tmp_path / "cut.qkit"
    for length in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"load_comparison: .*cut\.qkit: cannot be read"):
            qk.load_comparison(path)


def test_a_flipped_byte_is_refused_or_changes_nothing(content, tmp_path):
    path, rng, said = tmp_path / "flipped.qkit", np.random.default_rng(0), []
    path.write_bytes(content)
    whole = qk.load_comparison(path)
    for place in rng.integers(len(content), size=150):
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.integers(8)
        path.write_bytes(flipped)
        try:
            again = qk.load_comparison(path)
        except ValueError as error:
            said.append(str(error))
        else:
            same(whole, again)
    assert len(said) > 130
    assert all("save it again" in each for each in said)


def rewritten(content, change):
    """Return a file with another record."""
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(held, "w") as new:
        for name in old.namelist():
            record = old.read(name)
            if name == "result.json":
                record = json.loads(record)
                change(record)
                record = json.dumps(record)
            new.writestr(name, record)
    return held.getvalue()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.update(format=2, qkit="9.9"), r"format 2, written by qkit 9\.9; .* Update"),
        (lambda r: r.update(result={"os.system": {"command": "x"}}), "cannot be read"),
        (lambda r: r.update(result={"tuple": []}), "what it holds must be a Comparison, got tuple"),
        (lambda r: r.update(result=7), "must be a Comparison, got int"),
        (lambda r: r["result"]["Comparison"].pop("sizes"), "cannot be read"),
        (lambda r: r["result"]["Comparison"].update(later=1), "cannot be read"),
        (lambda r: r["result"]["Comparison"].update(models={"member": "9.npy"}), "cannot be read"),
        (lambda r: r.clear(), "cannot be read"),
    ],
)
def test_a_foreign_or_newer_record_is_refused(content, change, said, tmp_path):
    path = tmp_path / "it.qkit"
    path.write_bytes(rewritten(content, change))
    with pytest.raises(ValueError, match=said):
        qk.load_comparison(path)


def test_another_zip_and_no_file_are_refused(tmp_path):
    np.savez(tmp_path / "weights.npz", np.ones(3))
    with pytest.raises(ValueError, match="it is a zip of something else"):
        qk.load_comparison(tmp_path / "weights.npz")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        qk.load_comparison(tmp_path / "gone.qkit")


def test_a_file_of_an_earlier_qkit_lacks_what_came_later(content, tmp_path):
    def earlier(record):
        del record["result"]["Comparison"]["device"]

    path = tmp_path / "it.qkit"
    path.write_bytes(rewritten(content, earlier))
    assert qk.load_comparison(path).device == {}


def test_what_cannot_be_written_leaves_the_old_one(hand_made, tmp_path, monkeypatch):
    path = tmp_path / "it.qkit"
    found = hand_made({"float32": (range(5), 80, 10)})
    found.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("qkit.cache.os.replace", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        found.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["it.qkit"]


def test_what_is_shared_is_in_the_file_once(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
    assert sum(name.endswith(".tflite") for name in names) == 2, "models, which sizes have too"
    assert keeping.FORMAT == 1


@pytest.mark.parametrize("write", ["save", "to_html"])
def test_a_place_that_is_none_is_refused_before_work(hand_made, tmp_path, write, monkeypatch):
    found = hand_made({"float32": (range(5), 80, 10)})
    monkeypatch.setattr(type(found), "to_frame", lambda self: pytest.fail("work has begun"))
    with pytest.raises(FileNotFoundError, match=r"is a folder: name a file in it"):
        getattr(found, write)(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*gone: make it first"):
        getattr(found, write)(tmp_path / "gone" / "it")
    with pytest.raises(TypeError, match=f"{write}: path must be a str or PathLike, got int"):
        getattr(found, write)(3)
