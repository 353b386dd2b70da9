"""Models that LiteLLM's bundled table describes: tests take what is there, whatever its version."""

from datetime import date

from aurorasoc.llm.wire.libraries import litellm_table


def first_to_retire(vendor: str) -> tuple[str, date]:
    """Return a vendor's model that retired first, and its day."""
    days = {
        name.removeprefix(f"{vendor}/"): date.fromisoformat(row["deprecation_date"])
        for name, row in litellm_table._table().items()
        if row.get("litellm_provider") == vendor and "deprecation_date" in row
    }
    model = min(days, key=lambda name: (days[name], name))
    return model, days[model]
