"""The shape of the house, read from its source: what import-linter cannot say. Each rule is one test."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("auth", "usage", "rag", "llm", "embedding", "speech")
PACKAGES = ("chassis", "gateway", *(f"{short}_service" for short in SERVICES))
WITH_TABLES = ("auth", "usage", "rag", "llm")

LAYERS = {"__init__", "__main__", "settings", "app", "domain", "policy", "service", "servicer", "adapters"}
TABLE_LAYERS = {"repository", "migrations"}

MAX_LINES = 400
USUAL_LINES = 300
"""Nine of ten files are below this."""
MAX_FUNCTION_LINES = 50
MAX_PARAMETERS = 8
VAGUE = {"utils", "util", "helpers", "helper", "misc", "stuff", "manager", "managers"}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the project: those in git, and those that will be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    return tuple(sorted(ROOT / name for name in names if name and (ROOT / name).is_file()))


@cache
def sources() -> tuple[Path, ...]:
    """Python that people wrote."""
    return tuple(path for path in tracked() if path.suffix == ".py" and "protos/gen" not in path.as_posix())


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def of(*packages: str) -> list[Path]:
    return [path for path in sources() if path.relative_to(ROOT).parts[0] in packages]


def in_domain(short: str) -> list[Path]:
    """A service's domain: a module, or a package."""
    return [*ROOT.glob(f"{short}_service/domain.py"), *ROOT.glob(f"{short}_service/domain/*.py")]


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def test_there_is_something_to_look_at() -> None:
    assert len(sources()) > 80
    assert {path.relative_to(ROOT).parts[0] for path in of(*PACKAGES)} == set(PACKAGES)


@pytest.mark.parametrize("short", SERVICES)
def test_a_service_has_the_names_it_needs_and_nothing_odd(short: str) -> None:
    package = f"{short}_service"
    parts = {path.relative_to(ROOT / package).parts[0].removesuffix(".py") for path in of(package)}
    wanted = LAYERS | (TABLE_LAYERS if short in WITH_TABLES else set())
    assert parts == wanted


@pytest.mark.parametrize("short", SERVICES)
def test_a_service_has_its_contract(short: str) -> None:
    contract = ROOT / f"protos/aisp/{short}/v1/{short}_service.proto"
    assert f"package aisp.{short}.v1;" in contract.read_text()
    assert f"service {short.capitalize()}Service {{" in contract.read_text()


def test_the_gateway_has_the_names_it_needs() -> None:
    parts = {path.relative_to(ROOT / "gateway").parts[0].removesuffix(".py") for path in of("gateway")}
    wanted = {"__init__", "__main__", "settings", "app", "clients", "auth", "limits", "errors", "sse", "routes"}
    assert wanted <= parts, f"missing: {sorted(wanted - parts)}"


def test_the_top_level_is_the_users() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if len(path.relative_to(ROOT).parts) > 1}
    assert folders == {*PACKAGES, "protos", "deploy", "tests", "docs", ".ci"}


def test_no_name_is_vague() -> None:
    assert [
        name(path) for path in sources() if VAGUE & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ] == []


def test_files_are_short() -> None:
    lines = {name(path): path.read_text().count("\n") for path in sources()}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}
    longer = [path for path, count in lines.items() if count > USUAL_LINES]
    assert len(longer) <= len(lines) / 10, longer


def test_functions_fit_one_screen() -> None:
    long = {
        f"{name(path)}:{node.lineno} {node.name}": lines
        for path in sources()
        # A revision is a list of tables, generated once and never changed.
        if "migrations" not in path.parts
        for node in functions(path)
        if node.end_lineno and (lines := node.end_lineno - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert long == {}


def parameters(node: Function) -> int:
    positional = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    own = positional[:1] in (["self"], ["cls"])
    return len(positional) - own + len(node.args.kwonlyargs)


def test_functions_have_few_parameters() -> None:
    many = {
        f"{name(path)}:{node.lineno} {node.name}": count
        for path in of(*PACKAGES, "deploy", "protos")
        for node in functions(path)
        if (count := parameters(node)) > MAX_PARAMETERS
    }
    assert many == {}


def test_every_module_says_what_it_owns() -> None:
    silent = [
        name(path)
        for path in of(*PACKAGES, "deploy", "protos")
        if "migrations" not in path.parts and path.name != "__main__.py" and not ast.get_docstring(tree(path))
    ]
    assert silent == []


def test_only_the_chassis_commits() -> None:
    """Transactions are blocks that end by themselves; nobody ends one by hand."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in of(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("commit", "rollback")
    ]
    assert [place for place in found if not place.startswith("chassis/")] == []
    assert found


def test_the_environment_is_read_by_settings_only() -> None:
    found = {
        name(path)
        for path in of(*PACKAGES)
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {"environ", "getenv"} & {n.name for n in node.names}
        )
    }
    assert {path for path in found if not path.endswith("/settings.py")} == set()


def test_domains_import_nothing_but_errors() -> None:
    import sys

    allowed = {"chassis.errors", "chassis.pagination"}
    odd = [
        f"{name(path)}: {module}"
        for short in SERVICES
        for path in in_domain(short)
        for module in imports(path)
        if module.split(".")[0] not in sys.stdlib_module_names
        and module not in allowed
        and not module.startswith(f"{short}_service.domain")
    ]
    assert odd == []


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_services_meet_on_the_wire() -> None:
    """Import-linter says this of top-level imports in packages; this also sees tests of one in another's folder."""
    wrong = [
        f"{name(path)}: {module}"
        for package in PACKAGES
        for path in of(package)
        for module in imports(path)
        if (other := module.split(".")[0]) in PACKAGES and other not in (package, "chassis")
    ]
    assert wrong == []


def test_no_state_is_kept_in_modules() -> None:
    """A name in capitals holds a constant; nothing says `global`."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in of(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Global)
    ]
    assert found == []


class TestReasons:
    """Every reason in a contract has a class in its service's domain, and back."""

    @staticmethod
    def in_contract(short: str) -> set[str]:
        text = (ROOT / f"protos/aisp/{short}/v1/{short}_service.proto").read_text()
        (body,) = re.findall(r"enum ErrorReason \{(.*?)\n\}", text, re.DOTALL)
        return set(re.findall(r"ERROR_REASON_(\w+) = [1-9]", body))

    @staticmethod
    def in_source(path: Path) -> set[str]:
        return {
            str(statement.value.value)
            for node in ast.walk(tree(path))
            if isinstance(node, ast.ClassDef)
            for statement in node.body
            if isinstance(statement, ast.Assign | ast.AnnAssign)
            and isinstance(statement.value, ast.Constant)
            and "reason" in {getattr(target, "id", "") for target in _targets(statement)}
        }

    @pytest.mark.parametrize("short", SERVICES)
    def test_contract_and_domain_agree(self, short: str) -> None:
        """A contract may name reasons of the chassis, too: those that its callers will meet."""
        domain = set().union(*(self.in_source(path) for path in in_domain(short)))
        contract = self.in_contract(short)
        chassis = set().union(*(self.in_source(path) for path in of("chassis")))
        assert domain - contract == set()
        assert contract - domain - chassis == set()

    @pytest.mark.parametrize("short", SERVICES)
    def test_errors_are_made_in_the_domain_only(self, short: str) -> None:
        elsewhere = {name(path): self.in_source(path) for path in {*of(f"{short}_service")} - {*in_domain(short)}}
        assert {path: reasons for path, reasons in elsewhere.items() if reasons} == {}


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


# Written in pieces, so that this file does not contain what it forbids.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.~$}])/(?:" + "work|root|home" + r")/\w"),
    "a registry's host": re.compile(
        "|".join(
            ["pypi" + r"\.org", "python" + r"hosted\.org", "npm" + "js", "huggingface" + r"\.co/[\w-]+/[\w-]+/resolve"]
        )
    ),
    "a provider's key": re.compile(r"\b(?:sk-(?:ant-|proj-)?|hf_|AKIA)[A-Za-z0-9]{20,}"),
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----"),
}
MAX_BYTES = 600_000


def test_nothing_is_in_the_tree_that_does_not_belong() -> None:
    found = []
    for path in tracked():
        text = path.read_bytes().decode(errors="ignore")
        found += [f"{name(path)}: {what}: {hit[0]}" for what, bad in FORBIDDEN.items() if (hit := bad.search(text))]
        if path.stat().st_size > MAX_BYTES and path.suffix != ".txt":
            found.append(f"{name(path)}: {path.stat().st_size} bytes")
    assert found == []


def test_the_patterns_see_what_they_forbid() -> None:
    seen = {
        "a path of one machine": "see /" + "home/me/notes",
        "a registry's host": "https://files." + "python" + "hosted.org/x",
        "a provider's key": "sk-" + "proj-" + "a1B2" * 8,
        "a private key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    }
    assert {what for what, text in seen.items() if FORBIDDEN[what].search(text)} == set(FORBIDDEN)
