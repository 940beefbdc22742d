import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from forecast_common.rest import Rest, RestError
from forecast_common.step import StepError


@contextmanager
def answering(status, body):
    """A server that gives every request the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_answer_is_its_json():
    with answering(200, b'{"a": 1}') as uri:
        assert Rest(uri + "/").get("x", filter="a b'") == {"a": 1}


def test_mlflow_s_own_word_is_kept():
    with answering(400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "bad stage"}') as uri:
        with pytest.raises(RestError, match="bad stage") as refused:
            Rest(uri).get("x")
    assert (refused.value.status, refused.value.code) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("body", [b"<html>no</html>", b"[]", b"{}", b"\xff"])
def test_a_refusal_that_is_not_mlflow_s(body):
    with answering(404, body) as uri:
        with pytest.raises(RestError) as refused:
            Rest(uri).get("x")
    assert (refused.value.status, refused.value.code) == (404, "")


def test_nonsense_with_200_is_an_error():
    with answering(200, b"<html>") as uri:
        with pytest.raises(StepError, match="does not answer"):
            Rest(uri).get("x")


def test_nobody_there():
    with pytest.raises(StepError, match="MLflow at http://127.0.0.1:1/.* does not answer"):
        Rest("http://127.0.0.1:1").get("x")


@pytest.mark.parametrize("uri", ["", "127.0.0.1:5000", "file:///etc", "sqlite:///x"])
def test_other_addresses_are_refused(uri):
    with pytest.raises(StepError, match="must begin with http"):
        Rest(uri)
