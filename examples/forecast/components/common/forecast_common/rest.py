"""MLflow's REST API with the standard library.

Importing MLflow's own client takes seconds of processor time; a step that asks the registry four questions
should not pay that.
"""

import json
import urllib.error
import urllib.parse
import urllib.request

from forecast_common.step import StepError

TIMEOUT_S = 60


class RestError(StepError):
    """MLflow refused: `status` is HTTP's, `code` MLflow's word (empty when the answer was not MLflow's JSON)."""

    def __init__(self, status, code, text):
        super().__init__(text)
        self.status = status
        self.code = code


class Rest:
    def __init__(self, uri):
        if urllib.parse.urlsplit(uri).scheme not in ("http", "https"):
            raise StepError(f"mlflow_uri {uri!r} must begin with http:// or https://")
        self._base = uri.rstrip("/") + "/api/2.0/mlflow/"

    def get(self, path, **query):
        return self._send("GET", f"{path}?{urllib.parse.urlencode(query)}", None)

    def post(self, path, **body):
        return self._send("POST", path, body)

    def patch(self, path, **body):
        return self._send("PATCH", path, body)

    def delete(self, path, **body):
        return self._send("DELETE", path, body)

    def _send(self, method, path, body):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._base + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise _refusal(method, path, error) from None
        except (OSError, ValueError) as error:
            raise StepError(f"MLflow at {self._base} does not answer: {error}") from error


def _refusal(method, path, error):
    text = error.read().decode(errors="replace")
    try:
        document = json.loads(text)
        code, message = document["error_code"], document["message"]
    except (ValueError, KeyError, TypeError):
        code, message = "", text[:200]
    return RestError(error.code, code, f"MLflow refused {method} {path} ({error.code} {code}): {message}")
