"""The starter tables of prices: whole, each row with its source, none twice, none without a price."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from usage_service.domain.ledger import Unit

MIGRATIONS = Path(__file__).parents[2] / "usage_service" / "migrations"
FIRST, COMPARED = (MIGRATIONS / f"prices_{date}.json" for date in ("2026_11", "2026_11_26"))


def rows(table: Path) -> Sequence[Sequence[str]]:
    document = json.loads(table.read_text())
    assert document["columns"] == ["provider", "model", "unit", "dollars_per_million", "source"]
    found: list[list[str]] = document["prices"]
    return found


@pytest.mark.parametrize("table", [FIRST, COMPARED], ids=lambda table: table.stem)
def test_each_row_is_a_price_with_its_source(table: Path) -> None:
    found = rows(table)
    assert len({tuple(row[:3]) for row in found}) == len(found)
    for _, _, unit, dollars, source in found:
        assert Unit(unit)
        assert Decimal(dollars) > 0
        assert Decimal(dollars) * 10**9 % 1 == 0
        assert source


def test_what_was_compared_again_is_all_of_two_providers() -> None:
    models = {(row[0], row[1]) for row in rows(FIRST) if row[0] in {"openai", "hf"}}
    assert {(row[0], row[1]) for row in rows(COMPARED)} == models


def test_a_source_says_when_it_was_compared_or_that_it_is_an_estimate() -> None:
    for *_, source in rows(COMPARED):
        assert source.endswith("compared 2026-11-26") or source.startswith("an estimate")


def test_a_model_that_thinks_caches_at_a_tenth() -> None:
    priced = {(row[1], row[2]): Decimal(row[3]) for row in rows(COMPARED)}
    for model in {model for model, _ in priced if model.startswith("gpt-5")}:
        assert priced[model, "cached_input_tokens"] == priced[model, "input_tokens"] / 10
