"""What an error shows to whom."""

import traceback
from pathlib import Path

HERE = Path(__file__).parents[1]


def told_by(error: BaseException) -> str:
    """All that an error says, in whatever way it is looked at."""
    texts: list[str] = []
    each: BaseException | None = error
    while each is not None:
        texts += [str(each), repr(each), repr(vars(each)), *getattr(each, "__notes__", [])]
        texts += traceback.format_exception(each)
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if not Path(frame.f_code.co_filename).is_relative_to(HERE):  # where all is known
                texts.append(repr(frame.f_locals))
        each = each.__cause__ or each.__context__
    return "\n".join(texts)
