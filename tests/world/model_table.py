"""Models that LiteLLM's bundled table describes: tests take what is there, whatever its version."""

from datetime import date

from aurorasoc.llm.wire.libraries import litellm_table


def without_images(vendor: str) -> str:
    """Return a vendor's model of which the table says that it takes no images."""
    return min(
        name.removeprefix(f"{vendor}/")
        for name, row in litellm_table._table().items()
        if row.get("litellm_provider") == vendor
        and row.get("mode") == "chat"
        and row.get("supports_vision") is False
    )


def first_to_retire(vendor: str) -> tuple[str, date]:
    """Return a vendor's model that retired first, and its day."""
    days = {
        name.removeprefix(f"{vendor}/"): date.fromisoformat(row["deprecation_date"])
        for name, row in litellm_table._table().items()
        if row.get("litellm_provider") == vendor and "deprecation_date" in row
    }
    model = min(days, key=lambda name: (days[name], name))
    return model, days[model]
