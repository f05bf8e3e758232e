"""How sections name a device."""

from typing import Annotated

from pydantic import Field

Device = Annotated[
    str,
    Field(
        pattern=r"^(auto|cpu|(cuda|mps|xpu|mtia|hpu)(:\d+)?)$",
        description="auto, cpu, cuda, mps, xpu, or one of several such as cuda:1",
    ),
]
