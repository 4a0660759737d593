"""GitHub and GitLab, as far as a pipeline needs them: a request's files, one comment on it, one issue.

Tokens come from the environment alone. What we wrote before is known by a marker in its first line and by its author,
so that nobody else's text is ever taken for ours.
Sources: https://docs.github.com/en/rest, https://docs.gitlab.com/api/rest/.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from infra.errors import MctlError, UsageError

SECONDS = 30
PAGE = 100


@dataclass(frozen=True)
class Text:
    """A comment or an issue of ours. place: its path in the API; url: where people read it."""

    place: str
    url: str
    body: str


class Forge(ABC):
    """One repository at a forge, seen from one of its pipelines.

    request: the number of the pull or merge request that the pipeline runs for, or None. from_fork: whether its changes
    come from another repository. root: the checkout's folder.
    """

    request: int | None
    from_fork: bool
    root: str
    _name: str
    _api: str
    _token: str
    _rights: str

    @abstractmethod
    def merged(self) -> int | None:
        """Give the number of the request that the commit at hand came with."""

    @abstractmethod
    def files(self, request: int) -> set[str]:
        """List the files that a request changes, by their old and new names."""

    @abstractmethod
    def comment(self, request: int, marker: str) -> Text | None:
        """Find our comment on a request."""

    @abstractmethod
    def write_comment(self, request: int, body: str, known: Text | None) -> str:
        """Write our comment, in place of the one that is known; give its address."""

    @abstractmethod
    def issue(self, marker: str) -> Text | None:
        """Find our open issue."""

    @abstractmethod
    def write_issue(self, title: str, body: str, known: Text | None) -> str:
        """Write our issue, in place of the one that is known; give its address."""

    @abstractmethod
    def close_issue(self, known: Text) -> None:
        """Close our issue."""

    @abstractmethod
    def _headers(self, token: str) -> dict[str, str]: ...

    def _call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Ask the API. Raises MctlError."""
        token = os.environ.get(self._token)
        if not token:
            raise UsageError(f"{self._token} is not set", mend=f"give the job a token: {self._rights}")
        url = path if "://" in path else f"{self._api}{path}"
        headers = {"Content-Type": "application/json", "User-Agent": "mctl", **self._headers(token)}
        body = None if content is None else json.dumps(content).encode()
        if not url.startswith(("https://", "http://")):
            raise UsageError(f"{url} is no address of an API")
        try:
            with urlopen(Request(url, body, headers, method=method), timeout=SECONDS) as answer:  # noqa: S310 - just looked
                return json.load(answer)
        except HTTPError as error:
            said = error.read(300).decode(errors="replace")
            raise MctlError(
                f"{self._name} answered {error.code} to {method} {path}: {said}", mend=f"the token needs {self._rights}"
            ) from None
        except (URLError, OSError, ValueError) as error:
            raise MctlError(
                f"{self._name} can't be reached at {self._api}: {error}", mend="run the job again"
            ) from None

    def _pages(self, path: str, **query: str | int) -> Iterator[Any]:
        for page in range(1, 1000):
            found = self._call("GET", f"{path}?{urlencode({**query, 'per_page': PAGE, 'page': page})}")
            yield from found
            if len(found) < PAGE:
                return


class GitHub(Forge):
    """GitHub Actions: https://docs.github.com/en/actions/reference/workflows-and-actions/variables."""

    _name, _token = "GitHub", "GITHUB_TOKEN"
    _rights = "the permissions pull-requests: write and issues: write"

    def __init__(self) -> None:
        self._api = os.environ["GITHUB_API_URL"]
        self._repository = os.environ["GITHUB_REPOSITORY"]
        self.root = os.environ["GITHUB_WORKSPACE"]
        with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as file:
            request = json.load(file).get("pull_request") or {}
        self.request = request.get("number")
        source = (request.get("head") or {}).get("repo") or {}  # none where the fork was deleted
        self.from_fork = self.request is not None and source.get("full_name") != self._repository

    def merged(self) -> int | None:
        """Ask for the requests of the commit."""
        sha = os.environ["GITHUB_SHA"]
        found = [each for each in self._pages(f"{self._here}/commits/{sha}/pulls") if each["merged_at"]]
        exact = [each for each in found if each["merge_commit_sha"] == sha]
        return next((int(each["number"]) for each in exact or found), None)

    def files(self, request: int) -> set[str]:
        """Ask for the files of a request."""
        found = list(self._pages(f"{self._here}/pulls/{request}/files"))
        return {each[key] for each in found for key in ("filename", "previous_filename") if each.get(key)}

    def comment(self, request: int, marker: str) -> Text | None:
        """Look through the comments."""
        return self._ours(self._pages(f"{self._here}/issues/{request}/comments"), marker, "issues/comments", "id")

    def write_comment(self, request: int, body: str, known: Text | None) -> str:
        """Write a comment."""
        place = known.place if known else f"{self._here}/issues/{request}/comments"
        return str(self._call("PATCH" if known else "POST", place, {"body": body})["html_url"])

    def issue(self, marker: str) -> Text | None:
        """Look through the open issues."""
        return self._ours(self._pages(f"{self._here}/issues", state="open"), marker, "issues", "number")

    def write_issue(self, title: str, body: str, known: Text | None) -> str:
        """Write an issue."""
        place = known.place if known else f"{self._here}/issues"
        return str(self._call("PATCH" if known else "POST", place, {"title": title, "body": body})["html_url"])

    def close_issue(self, known: Text) -> None:
        """Close an issue."""
        self._call("PATCH", known.place, {"state": "closed", "state_reason": "completed"})

    @property
    def _here(self) -> str:
        return f"/repos/{self._repository}"

    def _ours(self, texts: Iterator[Any], marker: str, place: str, key: str) -> Text | None:
        found = [each for each in texts if (each["body"] or "").startswith(marker)]
        if not found:
            return None
        # A workflow's own token may not ask the REST API who it is.
        asked = self._call("POST", os.environ["GITHUB_GRAPHQL_URL"], {"query": "{viewer{login}}"})
        ours = [each for each in found if each["user"]["login"] == asked["data"]["viewer"]["login"]]
        return next((Text(f"{self._here}/{place}/{one[key]}", one["html_url"], one["body"]) for one in ours), None)

    def _headers(self, token: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }


class GitLab(Forge):
    """GitLab CI: https://docs.gitlab.com/ci/variables/predefined_variables/."""

    _name, _token = "GitLab", "GITLAB_TOKEN"
    _rights = "the scope api, and the role Reporter, in a masked variable GITLAB_TOKEN"

    def __init__(self) -> None:
        self._api = os.environ["CI_API_V4_URL"]
        self.root = os.environ["CI_PROJECT_DIR"]
        project = os.environ["CI_PROJECT_ID"]
        self._here = f"/projects/{quote(project, safe='')}"
        request = os.environ.get("CI_MERGE_REQUEST_IID")
        self.request = int(request) if request else None
        self.from_fork = bool(request) and os.environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") != project

    def merged(self) -> int | None:
        """Ask for the requests of the commit."""
        found = self._pages(f"{self._here}/repository/commits/{os.environ['CI_COMMIT_SHA']}/merge_requests")
        return next((int(each["iid"]) for each in found if each["state"] == "merged"), None)

    def files(self, request: int) -> set[str]:
        """Ask for the files of a request."""
        found = list(self._pages(f"{self._here}/merge_requests/{request}/diffs"))
        return {each[key] for each in found for key in ("old_path", "new_path")}

    def comment(self, request: int, marker: str) -> Text | None:
        """Look through the comments."""
        place = f"{self._here}/merge_requests/{request}/notes"
        me = self._call("GET", "/user")["id"]
        return next(
            (
                Text(f"{place}/{each['id']}", self._address(request, each), each["body"])
                for each in self._pages(place)
                if each["author"]["id"] == me and each["body"].startswith(marker)
            ),
            None,
        )

    def write_comment(self, request: int, body: str, known: Text | None) -> str:
        """Write a comment."""
        place = known.place if known else f"{self._here}/merge_requests/{request}/notes"
        return self._address(request, self._call("PUT" if known else "POST", place, {"body": body}))

    def issue(self, marker: str) -> Text | None:
        """Look through the open issues."""
        me = self._call("GET", "/user")["id"]
        for each in self._pages(f"{self._here}/issues", state="opened", author_id=me):
            if (each["description"] or "").startswith(marker):
                return Text(f"{self._here}/issues/{each['iid']}", each["web_url"], each["description"])
        return None

    def write_issue(self, title: str, body: str, known: Text | None) -> str:
        """Write an issue."""
        place = known.place if known else f"{self._here}/issues"
        content = {"title": title, "description": body}
        return str(self._call("PUT" if known else "POST", place, content)["web_url"])

    def close_issue(self, known: Text) -> None:
        """Close an issue."""
        self._call("PUT", known.place, {"state_event": "close"})

    def _address(self, request: int, note: Mapping[str, Any]) -> str:
        return f"{os.environ['CI_PROJECT_URL']}/-/merge_requests/{request}#note_{note['id']}"

    def _headers(self, token: str) -> dict[str, str]:
        return {"PRIVATE-TOKEN": token}


def here() -> Forge:
    """Give the forge whose pipeline this is. Raises UsageError anywhere else."""
    if os.environ.get("GITHUB_ACTIONS"):
        return GitHub()
    if os.environ.get("GITLAB_CI"):
        return GitLab()
    raise UsageError(
        "this is no pipeline of GitHub or GitLab", mend="mctl preview, mctl up and mctl drift do the same anywhere"
    )
