"""The project's own files: what they declare is what is there."""

import ast
import configparser
import os
import re
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("refgrad", "oracles", "reports")
DISTRIBUTIONS = {"flint": "python-flint"}
"""Where a module's distribution has another name."""
README = (ROOT / "README.md").read_text()


def environments():
    """The names of tox's environments."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    return {name.partition(":")[2] for name in tox.sections() if name.startswith("testenv:")}


def requirements(texts):
    """The distributions that requirements name, as they are compared."""
    return {re.match(r"[\w.-]+", text)[0].lower().replace("_", "-") for text in texts}


def imports(path):
    """The top-level packages that a module imports, at its head or anywhere inside."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def foreign(package):
    """The distributions outside the standard library and the project that a package imports."""
    found = {name for path in (ROOT / package).rglob("*.py") for name in imports(path)}
    names = found - set(sys.stdlib_module_names) - set(PACKAGES)
    return {DISTRIBUTIONS.get(name, name).lower().replace("_", "-") for name in names}


def test_the_version_is_the_installed_one():
    """What is installed says the version that pyproject.toml says."""
    try:
        installed = version("refgrad")
    except PackageNotFoundError:
        pytest.skip("refgrad is not installed, only importable")
    assert installed == PROJECT["version"]


def test_the_engine_imports_only_what_it_requires():
    """Every package that the engine imports is a plain dependency."""
    assert foreign("refgrad") <= requirements(PROJECT["dependencies"])


@pytest.mark.parametrize("package", ["oracles", "reports"])
def test_the_judges_import_only_what_they_declare(package):
    """Every package that the judges and the reports import is a dependency or in an extra for users."""
    extras = PROJECT["optional-dependencies"]
    users = [text for name, texts in extras.items() if name != "test" for text in texts]
    assert foreign(package) <= requirements([*PROJECT["dependencies"], *users])


def test_the_wheel_has_every_module_and_template(tmp_path):
    """The three packages and the report's templates are in the wheel, and nothing else is."""
    wheel = pytest.importorskip("hatchling.builders.wheel")
    (built,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    inside = {name for name in zipfile.ZipFile(built).namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert inside == there
    assert "reports/templates/page.html" in inside


def test_every_constraint_is_one_version():
    """constraints.txt pins exact public versions, and every declared dependency is among them."""
    lines = [
        line for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    assert all(re.fullmatch(r"[\w.-]+==[\d.]+(\.post\d+)?", line) for line in lines), lines
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    assert requirements([*PROJECT["dependencies"], *extras]) <= requirements(lines)


@pytest.mark.skipif(
    "TOX_ENV_NAME" not in os.environ, reason="only tox installs what is pinned and nothing else"
)
def test_everything_installed_is_constrained():
    """Every distribution of a tox environment, transitive ones too, is in constraints.txt at its version."""
    installed = distributions(
        path=[sysconfig.get_path("purelib")]
    )  # setuptools, once imported, shows what is inside it
    found = {f"{d.name}=={d.version.partition('+')[0]}".lower().replace("_", "-") for d in installed}
    pinned = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    graphics = ("cuda", "nvidia", "triton")  # PyTorch's, where the build for the CPU alone is not to be had
    left = {d for d in found - set(pinned) if not d.startswith((*graphics, "pip==", "refgrad=="))}
    assert not left


def test_no_file_names_a_private_place():
    """No project file names an index of its own or an absolute path."""
    for name in ("pyproject.toml", "tox.ini", "constraints.txt", ".ci/run"):
        text = (ROOT / name).read_text()
        assert not re.search(r"index-url|find-links|file://|/work/|/opt/|/root/|/home/", text), name


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda p: p.name)
def test_workflows_run_tox_environments_that_exist(workflow):
    """A workflow runs nothing but tox, and names only environments that tox.ini has."""
    text = workflow.read_text()
    runs = [line.split("run:", 1)[1].strip() for line in text.splitlines() if "run:" in line]
    assert runs
    assert all(re.match(r"(python -m pip install|tox) ", line) for line in runs), runs
    named = {name for line in runs for name in re.findall(r"-e ([\w-]+)", line)}
    matrix = re.search(r"environment: \[(.*)\]", text)
    named |= {name.strip() for name in matrix[1].split(",")} if matrix else set()
    assert named
    assert named <= environments()


def test_ci_runs_the_command_of_the_readme():
    """.ci/run can be executed, and its last line is the test command of the README, word for word."""
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    command = script.read_text().splitlines()[-1]
    assert "tox" in command
    assert command in README.splitlines()


def test_every_module_is_in_the_architecture():
    """docs/architecture.md names every module, and none that is not there."""
    text = (ROOT / "docs/architecture.md").read_text()
    for package in PACKAGES:
        section = text.split(f"\n### {package}\n", 1)[1].split("\n### ", 1)[0]
        listed = re.findall(r"^\| `([\w/]+)` \|", section, re.MULTILINE)
        modules = (path.relative_to(ROOT / package) for path in (ROOT / package).rglob("*.py"))
        assert sorted(listed) == sorted(
            m.with_suffix("").as_posix() for m in modules if m.name != "__init__.py"
        )
