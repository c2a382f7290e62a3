"""Lessons are text that jupytext can read, and the same text makes the same notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jupytext
import nbformat
import pytest

from eventlab import lessons
from eventlab.lessons import MalformedLesson

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))
JARS = "eventlab/cluster/jars.lock"
OTHERS = (
    "https://avro.apache.org/docs/1.12.0/",
    "https://cwiki.apache.org/confluence/display/KAFKA/KIP-",
    "https://devcenter.heroku.com/articles/",
    "https://github.com/",
    "https://kafka-python.readthedocs.io/",
    "https://kubernetes.io/docs/",
    "https://prometheus.io/docs/",
    "https://strimzi.io/docs/",
)
SMALL = """\
# %% [markdown] id="title"
# # A title
#
# A sentence.

# %% tags=["exercise"]
answer = None

# %% id="answer-check" tags=["check"]
print(answer)
# > None

# %% id="answer-half" tags=["mutant"]
answer = 21
# > That is half of it.

# %% id="answer-solution" tags=["solution"]
answer = 42

# %%
{"of": 6 * 7}
#> {'of': 42}
"""

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path, SMALL)


def write(folder: Path, text: str) -> Path:
    lesson = folder / "07_small.py"
    lesson.write_text(text, encoding="utf-8")
    return lesson


def cells(text: str) -> list[dict]:
    return json.loads(text)["cells"]


def test_the_committed_notebooks_are_current() -> None:
    """Whoever edits a lesson has to run `eventlab build`."""
    assert lessons.check(ROOT / "lessons", ROOT / "notebooks") == []


@each_lesson
def test_jupytext_reads_the_same_cells(lesson: Path) -> None:
    """Authors open lessons in JupyterLab through jupytext, so both have to agree."""
    read = [(cell.kind, cell.source, cell.tags) for cell in lessons.read(lesson)]
    assert [(kind, without_expected(source), tags) for kind, source, tags in theirs(lesson)] == read


def theirs(lesson: Path) -> list[tuple]:
    found = jupytext.read(lesson).cells
    return [(c.cell_type, c.source, tuple(c.metadata.get("tags", ()))) for c in found]


def without_expected(source: str) -> str:
    return re.sub(r"\n*(\n# ?>.*)+$", "", source)


@each_lesson
def test_notebooks_are_valid_and_have_no_outputs(lesson: Path) -> None:
    """A learner predicts first, and git shows no outputs."""
    notebook = nbformat.reads(lessons.for_learners(lesson), 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@each_lesson
def test_expected_outputs_and_attempts_make_valid_notebooks(lesson: Path) -> None:
    """NBVal reads these copies."""
    nbformat.validate(nbformat.reads(lessons.with_expected_outputs(lesson), 4))
    nbformat.validate(nbformat.reads(lessons.attempted(lesson), 4))


@each_lesson
def test_a_lesson_has_its_parts(lesson: Path) -> None:
    """Learners find the same shape in every lesson."""
    read = lessons.read(lesson)
    prose = "\n".join(cell.source for cell in read if cell.kind == "markdown")
    assert read[0].source.startswith(f"# {lesson.stem[:2]} · ")
    for part in ("After this lesson you can", "**Time**", "**You need**", "## Why"):
        assert part in prose
    for part in ("**Predict.**", "## Three questions", "## What Kafka calls this"):
        assert part in prose
    assert read[-1].tags == ("cleanup",)


@each_lesson
def test_an_exercise_has_a_check_and_a_solution(lesson: Path) -> None:
    """Without a solution nobody knows whether its check can pass."""
    read = lessons.read(lesson)
    names = [cell.id for cell in read if "exercise" in cell.tags]
    assert 2 <= len(names) <= 4
    assert [cell.id for cell in read if "check" in cell.tags] == [f"{n}-check" for n in names]
    assert [cell.id for cell in read if "solution" in cell.tags] == [f"{n}-solution" for n in names]


@each_lesson
def test_an_exercise_has_hints_and_mutants(lesson: Path) -> None:
    """Two hints, one stronger than the other; a misconception, and what the check says to it."""
    after_check: list[lessons.Cell] = []
    for cell in lessons.read(lesson):
        if "check" in cell.tags:
            exercise, after_check = (cell.id or "").removesuffix("-check"), []
        elif "solution" in cell.tags:
            hints, *mutants = after_check
            assert hints.source.count("<summary>") == 2, exercise
            assert mutants, exercise
            assert {mutant.tags for mutant in mutants} == {("mutant",)}
            assert all(mutant.id.startswith(f"{exercise}-") for mutant in mutants if mutant.id)
            assert all(mutant.id and mutant.expected for mutant in mutants), exercise
        else:
            after_check.append(cell)


@each_lesson
def test_citations_are_of_the_kafka_that_runs(lesson: Path) -> None:
    """Kafka's documentation of another version may say another thing."""
    jar = re.search(r"kafka-clients:(\d+)[.](\d+)", (ROOT / JARS).read_text())
    assert jar
    page = re.compile(rf"https://kafka[.]apache[.]org/{jar[1]}{jar[2]}/[a-z/-]+/(#[A-Za-z_.-]+)?")
    links = re.findall(r"\]\(([^)\s]+)\)", lesson.read_text("utf-8"))
    assert links
    for link in links:
        assert link.startswith(("https://kafka.apache.org/", *OTHERS)), link
        assert "kafka.apache.org" not in link or page.fullmatch(link), link


@each_lesson
def test_cells_are_short(lesson: Path) -> None:
    """One idea a cell: at most twelve lines, but for checks, definitions and solutions."""
    for cell in lessons.read(lesson):
        if cell.kind == "code" and not {"check", "mutant", "solution"} & set(cell.tags):
            lines = [line for line in cell.source.splitlines() if line.strip()]
            assert len(lines) <= 12, cell.source


@each_lesson
def test_a_line_of_prose_is_one_sentence(lesson: Path) -> None:
    """So that a changed sentence is a changed line."""
    for cell in lessons.read(lesson):
        for line in cell.source.splitlines() if cell.kind == "markdown" else ():
            plain = re.sub(r"`[^`]*`|\(http\S+\)|^#+ .*|^\*\*\d.*|^\|.*|<.*>", "", line)
            assert not re.search(r"[.?!] [A-Z]", plain), line


def test_the_same_text_makes_the_same_bytes(small: Path, tmp_path: Path) -> None:
    """`build --check` compares bytes."""
    (tmp_path / "lessons").mkdir()
    small.rename(tmp_path / "lessons" / small.name)
    source, target = tmp_path / "lessons", tmp_path / "notebooks"
    assert lessons.check(source, target) == ["07_small.ipynb is missing"]
    [notebook] = lessons.build(source, target)
    assert lessons.build(source, target) == []
    assert lessons.check(source, target) == []
    assert notebook.read_bytes().endswith(b"}\n")
    notebook.write_text("{}")
    (target / "08_old.ipynb").touch()
    assert lessons.check(source, target) == [
        "07_small.ipynb is not what 07_small.py makes",
        "08_old.ipynb has no lesson",
    ]


def test_learners_get_solutions_folded_and_no_expected_outputs(small: Path) -> None:
    """A solution in sight is no exercise."""
    title, exercise, check, solution, last = cells(lessons.for_learners(small))  # no mutant
    assert "".join(title["source"]) == "# A title\n\nA sentence."
    assert exercise["metadata"] == {"tags": ["exercise"]}
    assert check["source"] == ["print(answer)"]
    assert solution["cell_type"] == "markdown"
    assert "<details>" in solution["source"][0]
    assert "answer = 42\n" in solution["source"]
    assert last["outputs"] == []


def test_expected_outputs_are_what_jupyter_would_store(small: Path) -> None:
    """Printed text is a stream, the value of the last line a result."""
    *_, check, _, last = cells(lessons.with_expected_outputs(small))
    assert check["outputs"] == [{"name": "stdout", "output_type": "stream", "text": ["None\n"]}]
    assert last["outputs"][0]["data"] == {"text/plain": ["{'of': 42}"]}
    assert "nbval-check-output" in check["metadata"]["tags"]
    assert check["execution_count"] == 1


def test_attempts_are_made_in_order_and_each_is_checked(small: Path) -> None:
    """CI runs this copy: the check has to reject the mutant, and to accept the solution."""
    found = cells(lessons.attempted(small))
    assert [cell["id"] for cell in found][2:-1] == [
        "answer-check",
        "answer-half",
        "answer-half-check",
        "answer-solution",
        "answer-solution-check",
    ]
    checks = [cell for cell in found if cell["source"] == ["print(answer)"]]
    rejecting = ["raises-exception" in cell["metadata"]["tags"] for cell in checks]
    assert rejecting == [False, True, False]
    stored = [bool(cell.get("outputs")) for cell in found]
    assert stored == [False, False, True, False, False, False, False, True]


def test_ids_are_given_or_follow_from_the_content(tmp_path: Path) -> None:
    """Inserting a cell renames no other, and cells of equal content are numbered."""
    before = write(tmp_path, "# %%\n1\n\n# %%\n2\n\n# %%\n2\n")
    ids = [cell["id"] for cell in cells(lessons.for_learners(before))]
    after = write(tmp_path, '# %% id="new"\n0\n\n# %%\n1\n\n# %%\n2\n\n# %%\n2\n')
    assert [cell["id"] for cell in cells(lessons.for_learners(after))] == ["new", *ids]
    assert ids[2] == f"{ids[1]}-2"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("x = 1\n", "begins with 'x = 1'"),
        ("", "begins with ''"),
        ("# %%foo\n", "line 1 is '# %%foo'"),
        ("# %% [markdown]\n# one\ntwo\n", "line 1 has 'two'"),
        ("# %%\nx = (\n", "line 1"),
        ("# %%\n%timeit 1\n", "invalid syntax"),
        ("# %%\n1\n# > 1\n2\n", "has code after it"),
        ('# %% id="a b"\n1\n', "has 'id=\"a b\"'"),
        ("# %% colour=3\n1\n", "has 'colour=3'"),
        ("# %% id=\n1\n", "has 'id='"),
        ('# %% tags="exercise"\n1\n', "has 'tags=\"exercise\"'"),
        ('# %% id="a"\n1\n# %% id="a"\n2\n', "gives 'a' to 2 cells"),
        ('# %% tags=["solution"]\n1\n', "before any"),
        ('# %% tags=["exercise"]\n1\n# %% tags=["mutant"]\n1\n', "before any"),
    ],
)
def test_a_malformed_lesson_is_refused(tmp_path: Path, text: str, seen: str) -> None:
    """With what is wrong, where, and what to write instead."""
    with pytest.raises(MalformedLesson, match=re.escape(seen)):
        lessons.for_learners(write(tmp_path, text))


def test_a_folder_without_lessons_is_refused(tmp_path: Path) -> None:
    """An empty build would look like a current one."""
    with pytest.raises(MalformedLesson, match="There is no lesson"):
        lessons.check(tmp_path, tmp_path)
