"""The least that FastAPI can be: what our own start is measured against."""

from __future__ import annotations

from fastapi import FastAPI

app = FastAPI()


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ready"}
