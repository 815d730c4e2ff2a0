"""What files are called on this machine."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async._places import local_name
from tests.support.properties import unhurried


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.csv", "a.csv"),
        ("in/a b.csv", "a b.csv"),
        ("in/päper-墨.csv", "päper-墨.csv"),
        (".hidden", ".hidden"),
        ("in/..", "file"),
        ("..", "file"),
        (".", "file"),
        ("in/", "file"),
        ("", "file"),
        (" . ", "file"),
        ("..\\..\\boot.ini", ".._.._boot.ini"),
        ("C:\\boot.ini", "C__boot.ini"),
        ("C:boot.ini", "C_boot.ini"),
        ("a.txt:stream", "a.txt_stream"),
        ("a\0b\nc\x7fd\x9fe", "a_b_c_d_e"),
        ('<a>"b"|c?*', "_a__b__c__"),
        ("name. ", "name"),
        ("CON", "_CON"),
        ("in/nul.txt", "_nul.txt"),
        ("com1 .log", "_com1 .log"),
        ("console", "console"),
        ("com10", "com10"),
    ],
)
def test_a_name_is_one_everywhere(path: str, name: str) -> None:
    assert local_name(path) == name


@unhurried
@given(st.text())
def test_a_name_leads_nowhere_else(path: str) -> None:
    name = local_name(path)
    for kind in (PurePosixPath, PureWindowsPath):
        place = kind("to") / name
        assert place.parent == kind("to")
        assert place.name == name
        assert name not in {"", ".", ".."}
    assert name.partition(".")[0].rstrip().lower() not in {"con", "prn", "aux", "nul", "com1"}
