"""What bedload asks of an account, against services that others wrote.

CloudWatch is moto's server. The AWS SDK for Rust speaks RPC v2 CBOR to CloudWatch, which moto 5.2 does not:
a translator stands between them, which hands each request to moto through boto3. Moto knows no quotas of
Bedrock: Service Quotas answers from the files in tests/service_quotas, which boto3 has to be able to read as
well. Run by tests/boto3/run.
"""

import datetime
import http.server
import json
import logging
import os
import pathlib
import subprocess
import tempfile
import threading
import tomllib
import unittest

import boto3
import cbor2
from moto.server import ThreadedMotoServer

BEDLOAD = os.environ["BEDLOAD"]
NOVA = "us.amazon.nova-lite-v1:0"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "NO_PROXY": "*",
}


def bedload(*args, **more):
    environment = {**os.environ, **CREDENTIALS}
    return subprocess.run([BEDLOAD, *args], env=environment, capture_output=True, text=True, timeout=120, **more)


def client(service, url):
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id="nobody", aws_secret_access_key="nothing"
    )


class Translator(http.server.BaseHTTPRequestHandler):
    """RPC v2 CBOR on one side, moto (through boto3) on the other."""

    moto = None

    def do_POST(self):
        assert self.path == "/service/GraniteServiceVersion20100801/operation/GetMetricData", self.path
        asked = cbor2.loads(self.rfile.read(int(self.headers["Content-Length"])))
        # Two results on each page, so that pages have to be followed.
        first = int(asked.pop("NextToken", 0))
        results = client("cloudwatch", self.moto).get_metric_data(**asked)["MetricDataResults"]
        page = {"MetricDataResults": results[first : first + 2], "Messages": []}
        if first + 2 < len(results):
            page["NextToken"] = str(first + 2)
        body = cbor2.dumps(page, datetime_as_timestamp=True)
        self.send_response(200)
        self.send_header("smithy-protocol", "rpc-v2-cbor")
        self.send_header("Content-Type", "application/cbor")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


class CloudWatch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        cls.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        cls.moto.start()
        host, port = cls.moto.get_host_and_port()
        Translator.moto = f"http://{host}:{port}"
        cls.server, cls.url = serve(Translator)

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.moto.stop()

    def test_an_hour_of_metrics_becomes_a_scenario(self):
        begin = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
        begin -= datetime.timedelta(hours=2)
        cloudwatch = client("cloudwatch", Translator.moto)
        sums = {"Invocations": 0, "InputTokenCount": 0, "OutputTokenCount": 0}
        for minute in range(60):
            calls = 30 + minute % 7
            values = {"Invocations": calls, "InputTokenCount": calls * 900, "OutputTokenCount": calls * 120}
            if minute < 10:
                values["InvocationThrottles"] = 3
            data = []
            for name, value in values.items():
                if name in sums:
                    sums[name] += value
                at = begin + datetime.timedelta(minutes=minute)
                metric = {"MetricName": name, "Timestamp": at, "Value": value}
                data.append({**metric, "Dimensions": [{"Name": "ModelId", "Value": NOVA}]})
                # Another model's, which must not be counted.
                data.append({**metric, "Dimensions": [{"Name": "ModelId", "Value": SONNET}]})
            cloudwatch.put_metric_data(Namespace="AWS/Bedrock", MetricData=data)
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder, "nova.toml")
            done = bedload(
                "import", "cloudwatch", "--model", NOVA, "--region", REGION, "--endpoint-url", self.url,
                "--from", begin.strftime("%Y-%m-%dT%H:%M:%SZ"), "--out", str(out),
                "--to", (begin + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("30 calls were throttled", done.stdout)
            self.assertIn("reservation", done.stdout)
            scenario = tomllib.loads(out.read_text())
        self.assertIn(f"{sums['Invocations']:,} requests", scenario["about"])
        prompt = scenario["prompt"][0]
        self.assertEqual((prompt["input_tokens"], prompt["output_tokens"]), (900, 120))
        self.assertEqual(scenario["run"]["duration"], "3600s")

    def test_a_model_without_metrics_says_where_to_look(self):
        done = bedload(
            "import", "cloudwatch", "--model", "us.amazon.nova-pro-v1:0", "--region", REGION,
            "--endpoint-url", self.url, "--from", "2026-01-01", "--to", "2026-01-02",
        )
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("there are no metrics", done.stderr)


ANSWERS = pathlib.Path(__file__).parent.parent / "service_quotas"


class Quotas(http.server.BaseHTTPRequestHandler):
    """Service Quotas, as its JSON protocol has it."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].split(".")[1]
        assert asked["ServiceCode"] == "bedrock", asked
        name = {
            ("ListServiceQuotas", None): "applied-1",
            ("ListServiceQuotas", "page-2"): "applied-2",
            ("ListAWSDefaultServiceQuotas", None): "defaults",
        }[operation, asked.get("NextToken")]
        body = (ANSWERS / f"{name}.json").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class ServiceQuotas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.url = serve(Quotas)

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def test_boto3_reads_what_the_tests_of_bedload_answer(self):
        quotas = client("service-quotas", self.url)
        pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="bedrock")
        applied = {quota["QuotaCode"]: quota["Value"] for page in pages for quota in page["Quotas"]}
        self.assertEqual(applied["L-4A6BFAB1"], 250.0)
        self.assertEqual(applied["L-F4DDD3EB"], 200000.0)
        defaults = quotas.list_aws_default_service_quotas(ServiceCode="bedrock")["Quotas"]
        self.assertEqual(len(defaults), 5)
        self.assertTrue(all(isinstance(quota["Adjustable"], bool) for quota in defaults))

    def test_bedload_reads_the_same(self):
        done = bedload("quotas", SONNET, "--region", REGION, "--endpoint-url", self.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        block = tomllib.loads(done.stdout)["model"]["claude-sonnet-4-5"]["quota"]
        self.assertEqual(block, {"rpm": 250, "tpm": 200000})


if __name__ == "__main__":
    unittest.main(verbosity=2)
