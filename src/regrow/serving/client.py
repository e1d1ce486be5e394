"""Who asks a service, with nothing but Python's own library."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from regrow.errors import NoAnswer, TooLate, UsageError

__all__ = ["Service", "check_url"]

Answer = dict[str, Any]


class Service:
    """A service, spoken to without any library."""

    def __init__(self, url: str, deadline: float, token_file: Path | None) -> None:
        check_url(url)
        self.url, self.deadline, self.token_file = url.rstrip("/"), deadline, token_file

    def get(self, path: str) -> Answer:
        """What a path tells."""
        return self._opened(urllib.request.Request(self.url + path))

    def post(self, path: str, value: Answer) -> Answer:
        """What is answered."""
        headers = {"Content-Type": "application/json", "X-Deadline-Ms": f"{1000 * self.deadline:g}"}
        return self._opened(urllib.request.Request(self.url + path, json.dumps(value).encode(), headers))

    def _opened(self, request: urllib.request.Request) -> Answer:
        if self.token_file is not None:
            from regrow.serving.guarding import read_token

            request.add_header("Authorization", f"Bearer {read_token(self.token_file)}")
        try:
            with urllib.request.urlopen(request, timeout=self.deadline + 1) as response:
                found = json.load(response)
        except urllib.error.HTTPError as error:
            raise _refused(self.url, error) from None
        except TimeoutError:
            raise TooLate(f"{self.url}: no answer within {self.deadline:g} s", "give it more time: --deadline SECONDS") from None
        except OSError as error:
            why = error.reason if isinstance(error, urllib.error.URLError) else error
            why = why.strerror or why if isinstance(why, OSError) else why
            raise NoAnswer(f"{self.url} does not answer: {why}", "is it running? regrow serve RUN") from None
        except http.client.InvalidURL as error:
            raise UsageError(f"{self.url} is no URL: {error}", "e.g. http://127.0.0.1:8000") from None
        except (http.client.HTTPException, ValueError):
            found = None
        if not isinstance(found, dict):
            raise self.stranger()
        return found

    def stranger(self) -> NoAnswer:
        """Somebody answers, and what he says has not our form."""
        return NoAnswer(f"{self.url} answers, but it is no regrow serve", "is this its URL?")


def check_url(url: str) -> None:
    """Raises UsageError for what is no URL of a service."""
    try:
        parts = urllib.parse.urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError as error:
        raise UsageError(f"{url} is no URL: {error}", "e.g. http://127.0.0.1:8000") from None
    if wrong:
        raise UsageError(f"{url} is no URL", "e.g. http://127.0.0.1:8000")
    if parts.username is not None:
        raise UsageError("a URL of a service has no user and no password in it", "a service asks for a token: --token-file FILE")


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    """What an answer that is none means for whoever asked."""
    try:
        said: Answer = json.load(error)
        message, advice = str(said["error"]), str(said.get("advice", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return NoAnswer(f"{url}: HTTP {error.code}, and no word of regrow serve", "is this its URL?")
    if error.code == 401:
        return UsageError(f"{url}: {message}", "give it: --token-file FILE")
    kind = TooLate if error.code in (408, 504) else NoAnswer if error.code >= 500 else UsageError
    return kind(f"{url}: {message}", advice)
