"""What a registration asks for, and what has to happen so that its version becomes READY."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from modelyard.errors import SourceRefused
from modelyard.rules.prompts import is_prompt_version
from modelyard.rules.sources import RegisteredVersion, Source, check_reference_source, parse_source
from modelyard.rules.tags import merge_tags
from modelyard.rules.texts import MAX_LINK_CHARACTERS, MAX_RUN_ID_CHARACTERS, check_description, check_length
from modelyard.rules.versions import RegistrationMode


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that somebody wants; made only of texts that may be stored. `tags` maps key -> value, in order.

    Raises InvalidValue.
    """

    name: str
    source: str
    description: str = ""
    run_id: str = ""
    run_link: str = ""
    logged_model_id: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_description(self.description)
        check_length("run_id", self.run_id, MAX_RUN_ID_CHARACTERS)
        check_length("run_link", self.run_link, MAX_LINK_CHARACTERS)
        check_length("model_id", self.logged_model_id, MAX_RUN_ID_CHARACTERS)
        merge_tags(self.tags.items())


@dataclass(frozen=True, slots=True)
class Remembered:
    """Nothing is copied: a prompt, or an installation that registers by reference. READY at once."""


Origin: TypeAlias = Remembered | Source


def origin_of(wish: NewVersion, *, mode: RegistrationMode, vet: Callable[[Source], None]) -> Origin:
    """Return where a version's files come from.

    `vet` says whether this installation may read a source and may look at folders: call this outside of transactions.
    Raises SourceRefused.
    """
    if is_prompt_version(wish.source, wish.tags):
        # A tag never switches a check off: the text is still shown and handed on.
        check_reference_source(wish.source)
        return Remembered()
    if mode is RegistrationMode.REFERENCE:
        check_reference_source(wish.source)
        return _version_of_ours(wish.source) or Remembered()
    source = parse_source(wish.source)
    vet(source)
    return source


def _version_of_ours(text: str) -> RegisteredVersion | None:
    try:
        source = parse_source(text)
    except SourceRefused:
        return None
    return source if isinstance(source, RegisteredVersion) else None
