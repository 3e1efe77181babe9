"""Text of whatever came."""


def printable(value: bytes | str) -> str:
    """Text that JSON and the database take; what is not UTF-8, and U+0000, is replaced."""
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    return text.replace("\x00", "\ufffd")
