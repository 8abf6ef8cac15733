import pytest

from commands import USER


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a user's files, as the working directory."""
    (tmp_path / "user.py").write_text(USER)
    monkeypatch.chdir(tmp_path)
    return tmp_path
