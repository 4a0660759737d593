"""GitHub and GitLab over HTTP, as far as a pipeline asks them: they check tokens and refuse what the real ones would.

Shapes are those of https://docs.github.com/en/rest and https://docs.gitlab.com/api/rest/.
"""

from __future__ import annotations

import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-this-job"
REPOSITORY, PROJECT_ID = "acme/machines", "4711"
OURS = "our-bot"
LONGEST = {"GitHub": 65_536, "GitLab": 1_000_000}
SHA = "c0ffee"


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An answer that is not 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Repository:
    """What a forge keeps of one repository. merged: the request that the commit SHA came with."""

    files: dict[int, list[str]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    merged: int | None = None
    calls: list[str] = field(default_factory=list)

    def of_ours(self) -> list[str]:
        return [each["body"] for each in self.comments if each["by"] == OURS]

    def write(self, texts: list[dict[str, Any]], **content: Any) -> dict[str, Any]:
        text = {"id": len(texts) + 1, "by": OURS, "state": "open", **content}
        texts.append(text)
        return text


class Forge(ABC):
    """One forge with one repository; it listens at `url`."""

    name: str
    url: str

    def __init__(self) -> None:
        self.repository = Repository()

    def answer(self, method: str, path: str, headers: Any, content: Any) -> Any:
        """Answer one call. Raises Refusal."""
        self.repository.calls.append(f"{method} {path}")
        if not self.lets_in(headers):
            raise Refusal(401, "Bad credentials")
        length = len((content or {}).get("body") or (content or {}).get("description") or "")
        if length > LONGEST[self.name]:
            raise Refusal(422, f"body is too long (maximum is {LONGEST[self.name]} characters)")
        place, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        found = self.route(method, place, query, content)
        if isinstance(found, list):
            page, size = int(query["page"][0]), int(query["per_page"][0])
            return found[(page - 1) * size : page * size]
        return found

    @abstractmethod
    def lets_in(self, headers: Any) -> bool: ...

    @abstractmethod
    def route(self, method: str, place: str, query: dict[str, list[str]], content: Any) -> Any: ...

    @abstractmethod
    def job(self, folder: Path, request: int | None = None, *, fork: bool = False) -> dict[str, str]:
        """Give the variables of a job in a checkout; for a request, or on the default branch."""


class GitHub(Forge):
    name = "GitHub"

    def lets_in(self, headers: Any) -> bool:
        return bool(headers["Authorization"] == f"Bearer {TOKEN}" and headers["User-Agent"])

    def route(self, method: str, place: str, query: dict[str, list[str]], content: Any) -> Any:
        here, kept = f"/repos/{REPOSITORY}", self.repository
        if (method, place) == ("POST", "/graphql"):
            return {"data": {"viewer": {"login": OURS}}}
        if method == "GET" and (found := re.fullmatch(rf"{here}/pulls/(\d+)/files", place)):
            return [{"filename": file} for file in kept.files[int(found[1])]]
        if (method, place) == ("GET", f"{here}/commits/{SHA}/pulls"):
            return [{"number": kept.merged, "merged_at": "2026-01-01", "merge_commit_sha": SHA}] if kept.merged else []
        if found := re.fullmatch(rf"{here}/issues/(\d+)/comments", place):
            if method == "GET":
                return [self.comment(each) for each in kept.comments]
            return self.comment(kept.write(kept.comments, body=content["body"]))
        if method == "PATCH" and (found := re.fullmatch(rf"{here}/issues/comments/(\d+)", place)):
            kept.comments[int(found[1]) - 1]["body"] = content["body"]
            return self.comment(kept.comments[int(found[1]) - 1])
        if place == f"{here}/issues":
            if method == "GET":
                return [self.comment(each) for each in kept.issues if each["state"] == query["state"][0]]
            return self.comment(kept.write(kept.issues, **content))
        if method == "PATCH" and (found := re.fullmatch(rf"{here}/issues/(\d+)", place)):
            kept.issues[int(found[1]) - 1].update(content)
            return self.comment(kept.issues[int(found[1]) - 1])
        raise Refusal(404, "Not Found")

    def comment(self, text: dict[str, Any]) -> dict[str, Any]:
        user = {"login": text["by"], "type": "Bot" if text["by"] == OURS else "User"}
        return {**text, "number": text["id"], "user": user, "html_url": f"{self.url}/{text['id']}"}

    def job(self, folder: Path, request: int | None = None, *, fork: bool = False) -> dict[str, str]:
        event = folder.parent / "event.json"
        source = {"full_name": "someone/machines" if fork else REPOSITORY}
        event.write_text(json.dumps({"pull_request": {"number": request, "head": {"repo": source}}} if request else {}))
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.url,
            "GITHUB_GRAPHQL_URL": f"{self.url}/graphql",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_WORKSPACE": str(folder),
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_SHA": SHA,
            **({} if fork else {"GITHUB_TOKEN": TOKEN}),
        }


class GitLab(Forge):
    name = "GitLab"

    def lets_in(self, headers: Any) -> bool:
        return bool(headers["PRIVATE-TOKEN"] == TOKEN)

    def route(self, method: str, place: str, query: dict[str, list[str]], content: Any) -> Any:
        here, kept = f"/api/v4/projects/{PROJECT_ID}", self.repository
        if (method, place) == ("GET", "/api/v4/user"):
            return {"id": OURS}
        if method == "GET" and (found := re.fullmatch(rf"{here}/merge_requests/(\d+)/diffs", place)):
            return [{"old_path": file, "new_path": file} for file in kept.files[int(found[1])]]
        if (method, place) == ("GET", f"{here}/repository/commits/{SHA}/merge_requests"):
            return [{"iid": kept.merged, "state": "merged"}] if kept.merged else []
        if found := re.fullmatch(rf"{here}/merge_requests/(\d+)/notes", place):
            if method == "GET":
                return [self.note(each) for each in kept.comments]
            return self.note(kept.write(kept.comments, body=content["body"]))
        if method == "PUT" and (found := re.fullmatch(rf"{here}/merge_requests/\d+/notes/(\d+)", place)):
            kept.comments[int(found[1]) - 1]["body"] = content["body"]
            return self.note(kept.comments[int(found[1]) - 1])
        return self.issues(method, place, query, content)

    def issues(self, method: str, place: str, query: dict[str, list[str]], content: Any) -> Any:
        here, kept = f"/api/v4/projects/{PROJECT_ID}", self.repository
        if place == f"{here}/issues":
            if method == "GET":
                ours = [each for each in kept.issues if [each["by"]] == query["author_id"]]
                return [self.issue(each) for each in ours if each["state"] == "open" and query["state"] == ["opened"]]
            return self.issue(kept.write(kept.issues, title=content["title"], body=content["description"]))
        if method == "PUT" and (found := re.fullmatch(rf"{here}/issues/(\d+)", place)):
            issue = kept.issues[int(found[1]) - 1]
            if content.get("state_event") == "close":
                issue["state"] = "closed"
            issue["body"] = content.get("description", issue["body"])
            return self.issue(issue)
        raise Refusal(404, "404 Not found")

    def note(self, text: dict[str, Any]) -> dict[str, Any]:
        return {"id": text["id"], "body": text["body"], "author": {"id": text["by"]}}

    def issue(self, text: dict[str, Any]) -> dict[str, Any]:
        return {"iid": text["id"], "description": text["body"], "web_url": f"{self.url}/-/issues/{text['id']}"}

    def job(self, folder: Path, request: int | None = None, *, fork: bool = False) -> dict[str, str]:
        of_request = {
            "CI_MERGE_REQUEST_IID": str(request),
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "9" if fork else PROJECT_ID,
        }
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_PROJECT_ID": PROJECT_ID,
            "CI_PROJECT_URL": self.url,
            "CI_PROJECT_DIR": str(folder),
            "CI_COMMIT_SHA": SHA,
            **(of_request if request else {}),
            **({} if fork else {"GITLAB_TOKEN": TOKEN}),
        }


@contextmanager
def serve(forge: Forge) -> Iterator[Forge]:
    """Let a forge listen on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                code = 200
                answer = forge.answer(self.command, self.path, self.headers, json.loads(content or "null"))
            except Refusal as refusal:
                code, answer = refusal.code, {"message": str(refusal)}
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = do  # noqa: N815 - as the server calls them

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        forge.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield forge
        finally:
            server.shutdown()
