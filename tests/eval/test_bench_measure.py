"""Statistics of the benchmark, by hand; what processes cost, on processes that cost something known."""

import os
import signal
import sys
import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eval.bench.embedding import Block, Passages
from eval.bench.machine import machine, versions
from eval.bench.measure import (
    Cost,
    Figure,
    Measured,
    Ratio,
    Spread,
    figure,
    folder_bytes,
    memory_bytes,
    percentile,
    timed,
    total,
)
from eval.bench.processes import ChildFailed, child_environment, ended_by_sigterm, run_process, serving
from eval.bench.report import BenchRun, bench_table, number, ratio, spread
from eval.bench.searching import interleave, rotated
from eval.bench.serving import Load, body_of
from eval.tables import show
from service.settings import Settings


def test_percentiles_lie_between_the_two_nearest_values():
    # Of 1, 2, 3, 4 the places are 0 to 3: 50 % is place 1.5, 95 % is place 2.85.
    assert percentile([4, 1, 3, 2], 50) == 2.5
    assert percentile([4, 1, 3, 2], 95) == pytest.approx(3 + 0.85)
    assert percentile([1, 2, 3, 4], 0) == 1
    assert percentile([1, 2, 3, 4], 100) == 4
    assert percentile([7], 95) == 7


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1], -1), ([1], 101)])
def test_percentiles_of_nothing_are_refused(values, percent):
    with pytest.raises(ValueError, match="expected 0 to 100 and at least one value"):
        percentile(values, percent)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_spread_is_in_order(values):
    found = Spread.of(values)
    assert found.n == len(values)
    assert min(values) == found.smallest <= found.median <= found.p95 <= found.largest == max(values)


def test_ratios_of_medians_and_of_pairs():
    # Medians 4 and 2; pairs 2/1, 4/2, 12/8, sorted 1.5, 2, 2.
    found = Ratio.of([2, 4, 12], [1, 2, 8])
    assert found == Ratio(of_medians=4 / 2, of_pairs=2)
    # One slow minute hits both of a pair: the medians see it, the pairs do not.
    assert Ratio.of([2, 2, 20, 20, 20], [1, 1, 1, 10, 10]).of_pairs == 2
    assert Ratio.of([2, 2, 20, 20, 20], [1, 1, 1, 10, 10]).of_medians == 20


@pytest.mark.parametrize(("values", "base"), [([1], [1, 2]), ([], []), ([1], [0])])
def test_what_is_not_paired_gives_no_ratio(values, base):
    with pytest.raises(ValueError, match="cannot be paired"):
        Ratio.of(values, base)


def test_figures_say_how_they_were_compared():
    paired = figure("search", "answer", "ms", [3.0, 6.0, 9.0], base=[1.0, 3.0, 3.0], floor="bare")
    assert paired == Figure("search", "answer", "ms", 6.0, 3, 3.0, 9.0, pytest.approx(8.7), 2.0, 3.0, "bare")
    alone = figure("build", "whole", "s", [8.0], base=2.0, floor="bare")
    assert alone == Figure("build", "whole", "s", 8.0, 1, ratio=4.0, floor="bare")
    assert figure("build", "whole", "s", [8.0], floor="bare") == Figure("build", "whole", "s", 8.0)
    assert figure("http", "rate", "1/s", [8.0], base=0.0, floor="bare").ratio is None


def test_costs_add_up():
    assert total([Cost(1, 2), Cost(3, 4)]) == Cost(4, 6)
    assert total([]) == Cost(0, 0)
    blocks = [Block(10, 100, bare=Cost(2, 4), ours=Cost(1, 3)), Block(5, 50, bare=Cost(1, 1), ours=Cost(1, 1))]
    passages = Passages(chunks=tuple(blocks), sentences=(Block(1, 9, bare=Cost(0.5, 1), ours=Cost(0.25, 0.5)),))
    assert passages.bare_chunks == Cost(3, 5)
    assert passages.bare_all == Cost(3.5, 6)
    assert passages.our_sentences == Cost(0.25, 0.5)


def test_waiting_takes_time_but_no_processor():
    waited = timed(lambda: time.sleep(0.05))
    assert waited.wall >= 0.05
    assert waited.cpu < waited.wall


def test_work_that_goes_on_in_a_thread_counts_for_what_began_it():
    def burn():
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass

    thread = threading.Thread(target=burn)
    began = timed(thread.start, settle_seconds=0.5)
    thread.join()
    assert began.cpu >= 0.02
    assert began.wall < 0.5


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (0.01234, "0.0123"), (0.5, "0.500"), (1.2345, "1.23"), (56.78, "56.8"), (123.4, "123"), (4321, "4,321")],
)
def test_numbers_are_written_with_three_digits(value, written):
    assert number(value) == written


def test_cells_of_the_table():
    many = figure("search", "answer", "ms", [float(value) for value in range(1, 21)], base=[1.0] * 20, floor="bare")
    assert ratio(many) == "10.50 (10.50)"
    assert spread(many) == "1.00 – 20.0, p95 19.1"
    few = figure("start", "ask", "s", [1.0, 2.0, 4.0])
    assert (ratio(few), spread(few)) == ("–", "1.00 – 4.00")
    assert spread(figure("start", "ask", "s", [1.0])) == "–"


def test_a_table_is_never_cut_off(capsys):
    long = figure("http", "/v1/search, 32 clients, errors: 12 × 503, 3 × ConnectionResetError", "requests", [15.0])
    made = {"machine": machine(), "parameters": {"articles": 12, "seed": 7}}
    console = Console(width=40)
    show([bench_table(BenchRun(made, {"http": Measured([long])}))], console)
    said = capsys.readouterr().out
    for words in (long.what, "ratio to floor", "12 articles, seed 7", "GiB"):
        assert words in said
    assert console.width == 40


def test_steps_take_turns_in_being_first():
    assert [rotated("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]
    done, prepared = [], []
    steps = {name: lambda text, name=name: done.append(name + text) for name in "ab"}
    costs = interleave(steps, ["1", "2"], before=prepared.append)
    assert done == ["a1", "b1", "b2", "a2"]
    assert prepared == ["a", "b", "b", "a"]
    assert {name: len(found) for name, found in costs.items()} == {"a": 2, "b": 2}


def test_a_level_counts_good_answers_and_names_the_others():
    load = Load(2, seconds=2.0, latencies=[0.1, 0.2, 0.3], outcomes=Counter({"200": 3, "503": 2, "TimeoutError": 1}))
    assert load.rate == 1.5
    assert load.errors == {"503": 2, "TimeoutError": 1}
    assert Load(2).rate == 0


def test_chat_is_asked_without_a_trace():
    assert body_of("/v1/chat", "Who?") == b'{"message": "Who?", "history": []}'
    assert body_of("/v1/search", "Who?") == b'{"query": "Who?"}'


def test_a_process_is_measured_by_itself():
    """Its CPU is at least what it burnt; its memory its own, not that of this larger process."""
    burn = "import time\nheld = bytearray(64 * 1024 * 1024)\nwhile time.process_time() < 0.2: pass\nprint('done')"
    large = bytearray(os.urandom(1024) * 200_000)
    found = run_process([sys.executable, "-c", burn], dict(os.environ))
    assert found.stdout == "done\n"
    assert found.cost.wall >= 0.2
    assert found.cost.cpu >= 0.2
    if memory_bytes("self") is not None:
        assert 64 * 1024 * 1024 < found.peak_bytes < len(large)
        assert memory_bytes("self") >= len(large)


def test_a_process_that_fails_says_why():
    with pytest.raises(ChildFailed, match="a bare process ended with exit code 3: it is broken"):
        run_process([sys.executable, "-c", "import sys; print('it is broken', file=sys.stderr); sys.exit(3)"], {})


def test_memory_of_nobody_is_unknown():
    assert memory_bytes("no-such-process") is None


@pytest.mark.server
def test_a_server_that_cannot_start_is_reported(tmp_path):
    (tmp_path / "library.sqlite").write_bytes(b"no database" * 1000)
    with (
        pytest.raises(ChildFailed, match=r"byline serve ended before it was ready: .*is damaged"),
        serving(Settings(data=tmp_path)),
    ):
        pass


def test_a_child_has_every_setting_of_this_run_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("BYLINE_ANSWER_SENTENCES", "2")
    llm = {"llm_base_url": "http://127.0.0.1:1/v1", "llm_model": "m", "llm_api_key": "secret"}
    lists = {"cors_origins": ["https://a.example"]}
    found = child_environment(Settings(data=tmp_path, answer_sentences=3, chunk_title=False, **llm, **lists))
    assert found["BYLINE_ANSWER_SENTENCES"] == "3"
    assert found["BYLINE_CHUNK_TITLE"] == "False"
    assert found["BYLINE_DATA"] == str(tmp_path)
    assert found["BYLINE_CORS_ORIGINS"] == '["https://a.example"]'
    # Not set, or not of use to a benchmark.
    left_out = {
        "abstention_model",
        "answerer",
        "otel_endpoint",
        "public_url",
        "reranker",
        *(name for name in Settings.model_fields if name.startswith("llm_")),
    }
    given = {name[7:].lower() for name in found if name.startswith("BYLINE_")}
    assert given == set(Settings.model_fields) - left_out
    assert "secret" not in found.values()


def test_sigterm_ends_a_run_as_ctrl_c_does():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ended_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_folder_is_as_large_as_its_files(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "one").write_bytes(b"123")
    (tmp_path / "inner" / "two").write_bytes(b"4567")
    assert folder_bytes(tmp_path) == 7


def test_the_machine_is_described():
    found = machine()
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 0
    assert found["cpu"]
    assert versions()["torch"].startswith("2.")
