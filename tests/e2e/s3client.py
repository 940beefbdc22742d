"""A small S3 client for tests: signs by itself (SigV4, RFC-like: AWS General Reference, "Signature Version 4"), so that
what it sends is nobody's but the test's."""
import datetime
import hashlib
import hmac
import http.client
import time
import urllib.parse
import xml.etree.ElementTree

from leat import until


class S3:
    def __init__(self, url, user="leat", password="leat-secret", region="us-east-1"):
        self.host = urllib.parse.urlsplit(url).netloc
        self.user, self.password, self.region = user, password, region

    def call(self, method, bucket, key="", query=None, body=b"", headers=None, ok=True):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        path = f"/{bucket}" + (f"/{urllib.parse.quote(key, safe='/~')}" if key else "")
        text = "&".join(f"{urllib.parse.quote(k, safe='~')}={urllib.parse.quote(v, safe='~')}"
                        for k, v in sorted((query or {}).items()))
        digest = hashlib.sha256(body).hexdigest()
        signed = {"host": self.host, "x-amz-content-sha256": digest, "x-amz-date": now}
        names = ";".join(sorted(signed))
        request = "\n".join([method, path, text, *(f"{k}:{signed[k]}" for k in sorted(signed)), "", names, digest])
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        string = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
        secret = f"AWS4{self.password}".encode()
        for part in scope.split("/"):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(secret, string.encode(), hashlib.sha256).hexdigest()
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request(method, path + (f"?{text}" if text else ""), body or None, {
            **signed, **(headers or {}), "Content-Length": str(len(body)),
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self.user}/{scope}, SignedHeaders={names}, Signature={signature}"})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert not ok or 200 <= answer.status < 300, f"{method} {path}: {answer.status} {data[:500]}"
        return answer, data

    def make(self, bucket, versions=False):
        for left in range(600, 0, -1):  # MinIO says that it is ready some time before it is
            answer, _ = self.call("PUT", bucket, ok=left == 1)
            if answer.status != 503:
                break
            time.sleep(0.1)
        assert 200 <= answer.status < 300, f"bucket {bucket}: {answer.status}"
        if versions:
            self.call("PUT", bucket, query={"versioning": ""}, body=b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/'
                      b'2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>')

    def notify(self, bucket, *kinds, events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*")):
        """MinIO: this bucket's events go to its targets."""
        queues = "".join(f"<QueueConfiguration><Id>{kind}</Id><Queue>arn:minio:sqs::LEAT:{kind}</Queue>"
                         + "".join(f"<Event>{event}</Event>" for event in events) + "</QueueConfiguration>" for kind in kinds)
        body = f"<NotificationConfiguration>{queues}</NotificationConfiguration>".encode()

        def told():
            try:
                return self.call("PUT", bucket, query={"notification": ""}, body=body)
            except AssertionError as error:  # on a busy machine a target is there later than the rest
                if "A specified destination ARN does not exist" not in str(error):
                    raise
        until(told, 60, every=0.5, what="MinIO's targets")

    def put(self, bucket, key, body):
        answer, _ = self.call("PUT", bucket, key, body=body)
        return answer.headers.get("x-amz-version-id"), answer.headers["ETag"].strip('"')

    def delete(self, bucket, key):
        self.call("DELETE", bucket, key)

    def keys(self, bucket):
        _, data = self.call("GET", bucket, query={"list-type": "2"})
        space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        return [e.findtext(f"{space}Key") for e in xml.etree.ElementTree.fromstring(data).iter(f"{space}Contents")]
