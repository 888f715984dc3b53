from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from eval.cli import app
from index.model_files import ModelRefused
from index.pair_model import FORMAT, load_pair_model, save_mean
from index.pairs import LONGEST_TOKENS, Pair, context_of, filled, open_tokenizer, pair_tokens
from index.reader import SHIPPED_ADAPTER, TorchReader, load_reader, reader_base, reader_files
from index.runtimes import REFERENCE, Engine, missing

TEXT = "Police found them in a locker at the central station, wrapped in towels."
ASKED = [
    Pair(
        "Which of the stolen objects has not been found?",
        sentence,
        context_of(TEXT),
    )
    for sentence in (
        "The compass is still missing.",
        "The museum reopens at 10 a.m. on Friday.",
        "A locker attendant, Mr. Penhale, called the police.",
    )
]
MADE = [
    Pair(question, sentence)
    for question in ("Who owns the mill?", "How much does a ticket for the ferry from Port Anselm cost?", "?")
    for sentence in ("Ida Quist bought the mill in 1998.", "A ticket costs 12 crowns.", "x" * 3000, "", "word " * 400)
]

texts = st.text(max_size=400)


@pytest.fixture(scope="module")
def reference():
    return TorchReader(reader_files(), SHIPPED_ADAPTER)


def engines():
    for engine in (Engine("openvino", "fp32"), Engine("openvino", "bf16"), Engine("onnxruntime", "fp32")):
        lack = missing(engine)
        yield pytest.param(engine, id=str(engine), marks=pytest.mark.skipif(lack is not None, reason=str(lack)))


def test_the_sentence_that_answers_is_put_first(reference):
    assert reference.read(ASKED).argmax() == 0


def test_what_stands_around_a_sentence_is_read_with_it(reference):
    question = "How much prize money comes with the Golden Buoy?"
    about = Pair(question, "It is worth 40,000 crowns.", context_of("Her film won the Golden Buoy."))
    other = Pair(question, "It is worth 40,000 crowns.", context_of("The hull lies off the coast."))
    with_it, without = reference.read([about, other])
    assert with_it > without


@pytest.mark.parametrize("engine", list(engines()))
def test_every_engine_reads_as_torch_does(engine, reference, prepared_models):
    expected = reference.read(ASKED + MADE)
    found = load_reader(engine, prepared_models).read(ASKED + MADE)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < (0.35 if engine.precision == "bf16" else 1e-3)


def test_it_does_not_matter_what_else_is_read(reference):
    together = reference.read(MADE)
    alone = np.concatenate([reference.read([pair]) for pair in reversed(MADE)])[::-1]
    assert np.abs(together - alone).max() < 1e-3
    assert reference.read([]).shape == (0,)


@given(texts, texts, texts)
def test_pairs_fit_into_the_model(question, sentence, context):
    (tokens,) = pair_tokens(TOKENIZER, [Pair(question, sentence, context)])
    assert len(tokens.ids) == len(tokens.kinds) <= LONGEST_TOKENS
    separators = [place for place, token in enumerate(tokens.ids) if token == SEPARATOR]
    assert 2 <= len(separators) <= 3
    assert separators[-1] == len(tokens.ids) - 1
    (first, last) = separators[:2]
    assert tokens.kinds == [0] * (first + 1) + [1] * (last - first) + [0] * (len(tokens.ids) - last - 1)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_filling_up_keeps_every_token(given_texts):
    tokens = pair_tokens(TOKENIZER, [Pair(question, sentence) for question, sentence in given_texts])
    inputs = filled(tokens)
    for row, one in enumerate(tokens):
        size = int(inputs["attention_mask"][row].sum())
        assert inputs["input_ids"][row, :size].tolist() == one.ids
        assert inputs["token_type_ids"][row, :size].tolist() == one.kinds
        assert not inputs["input_ids"][row, size:].any()


def test_the_context_is_a_title_and_the_end_of_the_sentence_before():
    assert context_of("") == ""
    assert context_of("", "Title") == "Title"
    long = "".join(f"{number} " for number in range(200))
    title, before = context_of(long, "Title").split(" | ")
    assert title == "Title"
    assert long.endswith(before)
    assert len(before) < len(long)


def test_an_adapter_changes_the_weights_of_each_layer():
    plain, changed = (open_weights(adapter) for adapter in (None, SHIPPED_ADAPTER))
    names = [name for name in plain if name.endswith(("query.weight", "dense.weight")) and ".encoder." in name]
    assert len(names) == 6 * 4
    assert all(not torch.equal(plain[name], changed[name]) for name in names)
    assert torch.equal(
        plain["bert.embeddings.word_embeddings.weight"], changed["bert.embeddings.word_embeddings.weight"]
    )


def open_weights(adapter):
    from index.pair_model import with_adapter

    model = load_pair_model(reader_base(), adapter) if adapter else with_adapter(reader_base(), 1)
    return {name.replace(".layer.weight", ".weight"): value for name, value in model.state_dict().items()}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "cannot be used"),
        (lambda file: file.write_bytes(file.read_bytes()[:-100]), "cannot be used"),
        (lambda file: file.write_bytes(b"not safetensors at all"), "cannot be used"),
        (lambda file: save_file(load_file(file), file, {"format": "another/1"}), "is no adapter"),
        (lambda file: save_file(without_one(load_file(file)), file, {"format": "byline-reader/1"}), "cannot be used"),
        (lambda file: save_file(cut(load_file(file)), file, {"format": "byline-reader/1"}), "cannot be used"),
    ],
)
def test_a_spoilt_adapter_is_refused_by_name(spoil, said, tmp_path):
    file = tmp_path / "adapter.safetensors"
    file.write_bytes(SHIPPED_ADAPTER.read_bytes())
    spoil(file)
    with pytest.raises(ModelRefused, match=said) as refused:
        load_pair_model(reader_base(), file)
    assert str(file) in str(refused.value)


def without_one(tensors):
    return dict(list(tensors.items())[:-1])


def cut(tensors):
    return {name: value[:, :-1].contiguous() if value.ndim == 2 else value for name, value in tensors.items()}


def test_the_mean_of_adapters_changes_each_layer_by_the_mean_of_their_changes(tmp_path):
    other, mean = tmp_path / "other.safetensors", tmp_path / "mean.safetensors"
    learned = load_file(SHIPPED_ADAPTER)
    save_file(learned | {n: v * 3 for n, v in learned.items() if n.endswith(".up")}, other, {"format": FORMAT})
    save_mean([SHIPPED_ADAPTER, other], mean)
    found, up = load_file(mean), "bert.encoder.layer.0.attention.self.query.up"
    assert {name: value.shape for name, value in found.items()} == {n: v.shape for n, v in learned.items()}
    twice = 2 * learned[up].float() @ learned[up.replace(".up", ".down")].float()
    assert torch.allclose(found[up].float() @ found[up.replace(".up", ".down")].float(), twice, atol=1e-2)
    assert torch.equal(found["out.weight"], learned["out.weight"])
    load_pair_model(reader_base(), mean)


def test_adapters_that_do_not_go_together_have_no_mean(tmp_path):
    other, mean = tmp_path / "other.safetensors", tmp_path / "mean.safetensors"
    save_file(cut(load_file(SHIPPED_ADAPTER)), other, {"format": FORMAT})
    with pytest.raises(ModelRefused, match="other models or ranks"):
        save_mean([SHIPPED_ADAPTER, other], mean)
    other.write_bytes(b"none")
    result = CliRunner().invoke(app, ["mean-reader", str(SHIPPED_ADAPTER), str(other), "--out", str(mean)])
    assert isinstance(result.exception, ModelRefused)
    assert not mean.exists()


def test_the_adapter_is_small():
    assert SHIPPED_ADAPTER.stat().st_size < 2_000_000


def test_torch_is_the_reference(prepared_models):
    assert isinstance(load_reader(REFERENCE, prepared_models), TorchReader)


def test_the_hash_is_of_model_and_adapter(monkeypatch, tmp_path):
    first = reader_files()
    other = tmp_path / "other.safetensors"
    other.write_bytes(SHIPPED_ADAPTER.read_bytes() + b" ")
    monkeypatch.setattr("index.reader.SHIPPED_ADAPTER", other)
    assert first.adapter == SHIPPED_ADAPTER
    hashes = [first.model_sha256, reader_files().model_sha256]
    assert all(one != two for one, two in pairwise(hashes))


TOKENIZER = open_tokenizer(reader_base())
SEPARATOR = TOKENIZER.token_to_id("[SEP]")
