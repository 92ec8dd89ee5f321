"""The Admin API of a sandbox that fails: each fault in one of the known ways."""

import json
from collections.abc import Mapping
from typing import Any

from mistral_nb.sandbox.admin_api import SandboxAdminApi
from mistral_nb.sandbox.responses import IssuedKey

FAULTS: Mapping[str, str] = {
    "bearer only": "refuses x-api-key",
    "missing": "404 for everything, as where there is no Admin API",
    "unknown fields": "every body and entry holds more than is documented",
    "answer lost": "does what it is asked to do, and hangs up",
    "created, then 500": "makes the key, and answers 500",
    "no key in the answer": "makes the key, and does not tell it",
    "no date in the answer": "makes the key, and does not tell its expiry",
    "no dates in the list": "lists keys without their expiry",
    "unclear dates in the list": "lists keys with an expiry that is no date",
    "searches names alone": "finds no key by its last four characters",
    "500 at delete": "deletes nothing, and answers 500",
    "hang up at delete": "deletes nothing, and hangs up",
    "ignores offset": "answers with the first page, whatever is asked for",
    "html": "200 with a login page",
    "costs of another kind": "categories that name no cost",
}
_UNKNOWN_FIELDS = {"a_new_field": {"nested": [1, None, "text"]}, "schema_version": 7}


class FaultyAdminApi(SandboxAdminApi):
    """``fault`` is one of `FAULTS`, or empty."""

    fault = ""

    def set_fault(self, fault: str) -> None:
        """Enable one of `FAULTS`, by name; an empty name disables it."""
        if fault and fault not in FAULTS:
            raise ValueError(fault)
        self.fault = fault

    def serve_request(self, handler: Any) -> None:
        if self.fault == "html":
            return handler.answer(200, b"<!doctype html><html></html>", {"Content-Type": "text/html"})
        status, body = self.respond(handler)
        if status == 0 or (self.fault == "answer lost" and handler.command != "GET"):
            return handler.hang_up()
        return handler.answer(status, json.dumps(self._with_unknown_fields(body)).encode())

    def respond(self, handler: Any) -> tuple[int, Any]:
        if self.fault == "bearer only" and handler.headers.get("x-api-key"):
            return 401, {"detail": "Unauthorized"}
        status, body = super().respond(handler) if self.fault != "missing" else (404, {"detail": "Not Found"})
        return status, body

    def list_keys(self, rest: str, query: Mapping[str, str], payload: bytes) -> tuple[int, Any]:
        status, body = super().list_keys(rest, query, payload)
        for entry in body["keys"]:
            if self.fault == "no dates in the list":
                del entry["expiration_date"]
            elif self.fault == "unclear dates in the list":
                entry["expiration_date"] = "in spring"
        return status, body

    def matches(self, key: IssuedKey, wanted: str) -> bool:
        return wanted in key.name if self.fault == "searches names alone" else super().matches(key, wanted)

    def create_key(self, rest: str, query: Mapping[str, str], payload: bytes) -> tuple[int, Any]:
        status, body = super().create_key(rest, query, payload)
        if status != 200:
            return status, body
        if self.fault == "created, then 500":
            return 500, {}
        if self.fault == "no date in the answer":
            del body["expiration_date"]
        return status, body | ({"key": None} if self.fault == "no key in the answer" else {})

    def delete_key(self, key_id: str, query: Mapping[str, str], payload: bytes) -> tuple[int, Any]:
        if self.fault == "500 at delete":
            return 500, {}
        if self.fault == "hang up at delete":
            return 0, {}
        return super().delete_key(key_id, query, payload)

    def report_usage(self, rest: str, query: Mapping[str, str], payload: bytes) -> tuple[int, Any]:
        status, body = super().report_usage(rest, query, payload)
        if self.fault == "costs of another kind":
            return 200, {"chat": {"tokens": {"value": 5}}, "currency": "EUR", "start_date": body["start_date"]}
        return status, body

    def cut_page(self, entries: list[Any], query: Mapping[str, str]) -> list[Any]:
        if self.fault == "ignores offset":
            query = {name: value for name, value in query.items() if name != "offset"}
        return super().cut_page(entries, query)

    def _with_unknown_fields(self, body: Any) -> Any:
        if self.fault != "unknown fields" or not isinstance(body, dict):
            return body
        lists = {
            name: [_UNKNOWN_FIELDS | entry for entry in value]
            for name, value in body.items()
            if isinstance(value, list)
        }
        return _UNKNOWN_FIELDS | body | lists
