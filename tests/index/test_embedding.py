import json
import pickle
import shutil
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from index.embedding import EmbedderSettings, LazyEmbedder, load_embedder
from index.model_files import SHIPPED_MODEL, SHIPPED_WEIGHTS_SHA256, ModelRefused, check_model, shipped_folder
from index.runtimes import FASTEST_FIRST, missing

SHIPPED = shipped_folder()

TEXTS = [
    "The ferry to Sant Orlo leaves at nine.",
    "",
    "Rain.",
    "Mayor Roth said that the bridge cost 40 million euros, twice what the council had voted for in spring.",
    "漢字とかな、そして emoji 🏳️‍🌈 in one line",
    "Ünïcödé naïve café, Straße, İstanbul",
    *(f"Report {n}: the river rose" + " again" * n for n in range(1, 13)),
    "https://example.org/a?b=c&d=%20 1,200.50",
]


@pytest.fixture
def model_folder(tmp_path):
    """A copy of the shipped model whose files may be edited; the weights are linked, not copied."""
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("model.safetensors"))
    (folder / "model.safetensors").symlink_to(SHIPPED / "model.safetensors")
    return folder


def edit_json(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


ENGINES = [
    pytest.param(engine, id=str(engine), marks=pytest.mark.skipif(missing(engine) is not None, reason=f"{engine}"))
    for engine in FASTEST_FIRST
]


@pytest.fixture(scope="module", params=ENGINES)
def embedder(request, wanted_embedder):
    """The shipped model, by every engine that this machine has: one contract for all."""
    engine = request.param
    loaded = load_embedder(replace(wanted_embedder, runtime=engine.runtime, precision=engine.precision))
    assert loaded.engine == engine
    return loaded


@pytest.fixture(scope="module")
def reference(wanted_embedder):
    return load_embedder(replace(wanted_embedder, runtime="torch"))


@pytest.fixture
def tolerance(embedder):
    """How far the numbers of a vector may be from the right ones: bf16 has two to three digits."""
    return 1e-5 if embedder.engine.precision == "fp32" else 2e-3


def by_torch(model):
    """How the torch runtime is asked for a model: what is refused there is refused by all."""
    return EmbedderSettings(str(model), Path("not-used"), "torch")


@pytest.mark.model
class TestVectors:
    def test_hello_world_has_the_published_vector(self, embedder, tolerance):
        """The first numbers as qdrant/fastembed pins them for this model."""
        vector = embedder.encode(["hello world"])[0]
        assert vector[:5] == pytest.approx([-0.034478, 0.03102, 0.00673, 0.02611, -0.039362], abs=tolerance)

    def test_vectors_are_those_of_the_reference(self, embedder, reference):
        cosines = (embedder.encode(TEXTS) * reference.encode(TEXTS)).sum(axis=1)
        assert cosines.min() > (0.999999 if embedder.engine.precision == "fp32" else 0.9999)

    def test_vectors_are_single_floats_of_unit_length(self, embedder):
        vectors = embedder.encode(TEXTS)
        assert (vectors.shape, vectors.dtype) == ((len(TEXTS), 384), np.float32)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)

    def test_a_text_has_the_same_vector_alone_and_among_others(self, embedder, tolerance):
        alone = np.concatenate([embedder.encode([text]) for text in TEXTS])
        assert np.allclose(embedder.encode(TEXTS), alone, atol=tolerance)

    def test_vectors_come_in_the_order_of_the_texts(self, embedder, tolerance):
        order = np.random.default_rng(7).permutation(len(TEXTS))
        shuffled = embedder.encode([TEXTS[place] for place in order])
        assert np.allclose(shuffled, embedder.encode(TEXTS)[order], atol=tolerance)

    def test_every_text_is_reported_once(self, embedder):
        sizes = []
        texts = TEXTS * 8
        embedder.encode(texts, on_batch=sizes.append)
        assert sum(sizes) == sum(map(len, texts))
        assert len(sizes) > 1

    def test_no_texts_give_no_rows(self, embedder):
        assert embedder.encode([]).shape == (0, 384)
        assert embedder.count_tokens([]) == []

    def test_four_threads_get_what_one_gets(self, embedder, tolerance):
        work = [TEXTS[start : start + 9] for start in (0, 3, 6, 9)] * 2
        expected = [(embedder.encode(texts), embedder.count_tokens(texts)) for texts in work]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda texts: (embedder.encode(texts), embedder.count_tokens(texts)), work))
        for (vectors, counts), (right_vectors, right_counts) in zip(found, expected, strict=True):
            assert np.allclose(vectors, right_vectors, atol=tolerance)
            assert counts == right_counts


@pytest.mark.model
class TestTokens:
    def test_tokens_are_counted_as_the_models_own_tokenizer_does(self, embedder):
        tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        texts = [*TEXTS, "far too long " * 200]
        own = [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]
        assert embedder.count_tokens(texts) == own
        assert own[-1] == 600

    def test_the_model_reads_254_tokens_between_its_two_special_ones(self, embedder):
        assert embedder.max_tokens == 254

    @pytest.mark.parametrize(("before", "is_read"), [(253, True), (254, False)])
    def test_a_text_is_read_up_to_max_tokens_and_no_further(self, embedder, before, is_read):
        texts = ["stone " * before + last for last in ("river", "music")]
        assert embedder.count_tokens(texts) == [before + 1] * 2
        one, other = embedder.encode(texts)
        assert np.allclose(one, other, atol=1e-6) is not is_read


@pytest.mark.model
class TestLoading:
    def test_a_model_loads_without_network(self, monkeypatch, embedder, wanted_embedder):
        def refuse(*_):
            raise AssertionError("the network was asked")

        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        engine = embedder.engine
        loaded = load_embedder(replace(wanted_embedder, runtime=engine.runtime, precision=engine.precision))
        assert np.allclose(loaded.encode(TEXTS[:3]), embedder.encode(TEXTS[:3]), atol=1e-6)

    def test_a_model_is_known_by_its_files_and_named_as_the_settings_do(self, reference, model_folder):
        by_path = load_embedder(by_torch(model_folder))
        assert (by_path.name, reference.name) == (str(model_folder), SHIPPED_MODEL)
        assert by_path.model_sha256 == reference.model_sha256

    def test_another_setting_of_the_same_weights_is_another_model(self, reference, model_folder):
        edit_json(model_folder / "sentence_bert_config.json", lambda config: config.update(max_seq_length=128))
        changed = load_embedder(by_torch(model_folder))
        assert changed.max_tokens == reference.max_tokens - 128
        assert changed.model_sha256 != reference.model_sha256

    def test_the_weights_of_every_module_make_the_model(self, model_folder):
        layer = model_folder / "2_Dense" / "model.safetensors"
        layer.parent.mkdir()
        found = []
        for content in (b"one", b"two"):
            layer.write_bytes(content)
            found.append(check_model(str(model_folder)).model_sha256)
        assert found[0] != found[1]

    def test_a_foreign_class_in_a_model_is_never_imported(self, model_folder, tmp_path, monkeypatch):
        (tmp_path / "evil_module.py").write_text("raise SystemExit('code of a model was run')")
        monkeypatch.syspath_prepend(tmp_path)
        edit_json(model_folder / "modules.json", lambda modules: modules[1].update(type="evil_module.Pooling"))
        with pytest.raises(ModelRefused, match="cannot be loaded"):
            load_embedder(by_torch(model_folder))
        assert "evil_module" not in sys.modules

    def test_a_configuration_that_asks_for_code_is_refused(self, model_folder):
        auto_map = {"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}
        edit_json(model_folder / "config.json", lambda config: config.update(auto_map=auto_map, model_type="evil"))
        with pytest.raises(ModelRefused, match="cannot be loaded"):
            load_embedder(by_torch(model_folder))

    def test_weights_that_cannot_be_read_are_refused(self, model_folder):
        weights = model_folder / "model.safetensors"
        weights.unlink()
        weights.write_bytes((SHIPPED / weights.name).read_bytes()[:100_000])
        with pytest.raises(ModelRefused, match="cannot be loaded"):
            load_embedder(by_torch(model_folder))


@pytest.mark.model
class TestLazyEmbedder:
    def test_it_gives_what_the_embedder_gives(self, wanted_embedder):
        lazy, loaded = LazyEmbedder(wanted_embedder), load_embedder(wanted_embedder)
        assert np.allclose(lazy.encode(TEXTS[:3]), loaded.encode(TEXTS[:3]), atol=1e-6)
        assert lazy.count_tokens(TEXTS) == loaded.count_tokens(TEXTS)
        for name in ("name", "model_sha256", "engine", "dimension", "max_tokens"):
            assert getattr(lazy, name) == getattr(loaded, name)

    def test_a_bad_model_is_refused_at_once(self, tmp_path):
        with pytest.raises(ModelRefused):
            LazyEmbedder(by_torch(tmp_path))


class TestRefusals:
    @pytest.mark.parametrize("model", ["no-such-model", "sentence-transformers/all-MiniLM-L6-v2", ""])
    def test_a_name_that_is_no_folder_is_refused_with_the_remedy(self, model, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelRefused, match=f"name '{SHIPPED_MODEL}' or a folder"):
            load_embedder(by_torch(model))

    def test_pickled_weights_alone_are_refused(self, tmp_path):
        (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": [0.0]}))
        with pytest.raises(ModelRefused, match="safetensors"):
            load_embedder(by_torch(tmp_path))

    def test_pickled_weights_of_a_module_are_refused(self, model_folder):
        """The library would read the pickle of a dense layer even where the transformer has safetensors."""
        dense = model_folder / "2_Dense"
        dense.mkdir()
        layer = {"in_features": 384, "out_features": 8, "activation_function": "torch.nn.modules.activation.Tanh"}
        (dense / "config.json").write_text(json.dumps(layer))
        (dense / "pytorch_model.bin").write_bytes(pickle.dumps({"linear.weight": [0.0]}))
        entry = {"idx": 3, "name": "3", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
        edit_json(model_folder / "modules.json", lambda modules: modules.append(entry))
        with pytest.raises(ModelRefused, match=r"2_Dense/pytorch_model\.bin are a pickle"):
            load_embedder(by_torch(model_folder))

    def test_the_shipped_model_with_one_altered_byte_is_refused(self, tmp_path, monkeypatch):
        folder = tmp_path / "altered"
        shutil.copytree(SHIPPED, folder)
        with (folder / "model.safetensors").open("r+b") as weights:
            weights.seek(-1000, 2)
            byte = weights.read(1)[0]
            weights.seek(-1, 1)
            weights.write(bytes([byte ^ 1]))
        monkeypatch.setattr("index.model_files.shipped_folder", lambda: folder)
        with pytest.raises(ModelRefused, match=f"expected {SHIPPED_WEIGHTS_SHA256}; install the package"):
            load_embedder(by_torch(SHIPPED_MODEL))

    @pytest.mark.parametrize("place", ["modeling.py", "deep/er/custom.py"])
    def test_a_folder_that_holds_code_is_refused(self, model_folder, place):
        code = model_folder / place
        code.parent.mkdir(parents=True, exist_ok=True)
        code.write_text("raise SystemExit")
        with pytest.raises(ModelRefused, match=f"holds code.*{Path(place).name}"):
            load_embedder(by_torch(model_folder))
