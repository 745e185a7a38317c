#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""An identity provider for tests: `identity_provider.py CERTIFICATE KEY USER [TOKEN]`.

Prints its port. GET gives browsers the script that RFC 8827 §7.5 has them run, POST answers as
GstRtcWebIdentityProvider asks. Its assertions are good for whoever knows the secret of this run; the
checksum stands for a signature.
"""
import http.server
import json
import secrets
import ssl
import sys

CERTIFICATE, KEY, USER = sys.argv[1:4]
TOKEN = sys.argv[4] if len(sys.argv) > 4 else None
SECRET = secrets.token_hex(8)
PATH = "/.well-known/idp-proxy/default"

SCRIPT = """
const secret = "%(secret)s", user = "%(user)s", domain = "%(domain)s";
const sum = (text) => {
  let hash = 0x811c9dc5;
  for (const letter of secret + text) {
    hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  }
  return hash;
};
rtcIdentityProvider.register({
  generateAssertion: async (contents) => ({
    idp: { domain, protocol: "default" },
    assertion: JSON.stringify({ contents, user, sum: sum(contents + user) }),
  }),
  validateAssertion: async (text) => {
    const { contents, user, sum: given } = JSON.parse(text);
    if (given !== sum(contents + user)) throw new Error("not mine");
    return { identity: user, contents };
  },
});
"""


def checksum(text):
    value = 0x811C9DC5
    for letter in SECRET + text:
        value = ((value ^ ord(letter)) * 0x01000193) & 0xFFFFFFFF
    return value


class Provider(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b"", kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def domain(self):
        return f"localhost:{self.server.server_address[1]}"

    def do_GET(self):
        if self.path != PATH:
            return self.answer(404)
        script = SCRIPT % {"secret": SECRET, "user": USER, "domain": self.domain()}
        self.answer(200, script.encode(), "application/javascript")

    def do_POST(self):
        length = int(self.headers.get("content-length", "0"))
        question = json.loads(self.rfile.read(length))
        if self.path != PATH:
            return self.answer(404)
        if question["method"] == "generate":
            if TOKEN and self.headers.get("authorization") != f"Bearer {TOKEN}":
                return self.answer(401)
            contents = question["contents"]
            assertion = {"contents": contents, "user": USER, "sum": checksum(contents + USER)}
            answer = {
                "idp": {"domain": self.domain(), "protocol": "default"},
                "assertion": json.dumps(assertion),
            }
        else:
            given = json.loads(question["assertion"])
            if given["sum"] != checksum(given["contents"] + given["user"]):
                return self.answer(422)
            answer = {"identity": given["user"], "contents": given["contents"]}
        self.answer(200, json.dumps(answer).encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
