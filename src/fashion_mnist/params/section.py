"""The base of every section's schema."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of params.yaml: strict types, finite numbers, no unknown key, no default."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
