"""Configs and plans that somebody has given names."""
from __future__ import annotations

from typing import Optional

from . import _abi
from . import context as contexts
from ._handles import StrPath, create, decode, encode, encode_path
from ._loader import library
from ._options import read_text
from .config import Config, ConfigLike, as_config
from .conversion import Plan
from .files import write_flags


class Recipes:
    """Configs and plans by name, beside the presets; as text, a file of

        [configs]
        small = int3,group_size=32
        [plan careful]
        * kind=attention -> int8_per_channel
        * -> small

    Names of configs may stand where a preset may: `recipes.config("small,clip=2")`,
    `Plan.from_text(text, recipes)`, `bnq quantize --recipes FILE`.
    """

    __slots__ = ("_handle", "__weakref__")

    def __init__(self, text: str = "") -> None:
        self._handle = create(_abi.bnq_recipes, library().bnq_recipes_create,
                              destroy="bnq_recipes_destroy")
        if text:
            self.add_text(text)

    @classmethod
    def load(cls, path: StrPath, *, context: Optional[contexts.Context] = None) -> Recipes:
        """Those of a text file."""
        recipes = cls()
        library().bnq_recipes_load(contexts.handle(context), recipes._handle,
                                   encode_path(path, "path"))
        return recipes

    def save(self, path: StrPath, *, overwrite: bool = False,
             context: Optional[contexts.Context] = None) -> None:
        """As a text file, whole or not at all."""
        library().bnq_recipes_save(contexts.handle(context), self._handle,
                                   encode_path(path, "path"), write_flags(overwrite))

    def add_text(self, text: str) -> None:
        """Adds what a text says, in place of what has the names; errors name the line,
        and nothing is added then."""
        library().bnq_recipes_add_text(self._handle, encode(text, "text"))

    def add_config(self, name: str, config: ConfigLike) -> None:
        """Names a config: letters, digits and _ . -, and no preset's or format's name
        (ExistsError)."""
        library().bnq_recipes_add_config(self._handle, encode(name, "name"),
                                         as_config(config, {})._handle)

    def add_plan(self, name: str, plan: Plan) -> None:
        """Names a plan, of which it keeps a copy."""
        library().bnq_recipes_add_plan(self._handle, encode(name, "name"), plan._handle)

    def config(self, text: str) -> Config:
        """The config of a text, whose first item may be one of these names."""
        return Config._own(create(_abi.bnq_config, library().bnq_recipes_config, self._handle,
                                  encode(text, "text"), destroy="bnq_config_destroy"))

    def plan(self, name: str = "") -> Plan:
        """A copy of the plan of this name; "" is the one before the first section."""
        return Plan._own(create(_abi.bnq_plan, library().bnq_recipes_plan, self._handle,
                                encode(name, "name"), destroy="bnq_plan_destroy"), loaded=True)

    @property
    def configs(self) -> tuple[str, ...]:
        """The names of the configs, sorted."""
        return self._names("config")

    @property
    def plans(self) -> tuple[str, ...]:
        """The names of the plans, sorted."""
        return self._names("plan")

    def _names(self, what: str) -> tuple[str, ...]:
        lib = library()
        count = getattr(lib, f"bnq_recipes_{what}_count")(self._handle)
        name = getattr(lib, f"bnq_recipes_{what}_name")
        return tuple(decode(name(self._handle, index)) for index in range(count))

    def __str__(self) -> str:
        """The text of all of it."""
        return read_text(library().bnq_recipes_to_text, self._handle)

    def __reduce__(self) -> tuple[type[Recipes], tuple[str]]:
        return Recipes, (str(self),)

    def __repr__(self) -> str:
        return f"Recipes(configs={list(self.configs)}, plans={list(self.plans)})"

