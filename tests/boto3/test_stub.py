"""boto3 against `bedload stub`: what AWS's own client for Python makes of the stub's answers.

Run by tests/boto3/run. Each test starts a stub of its own with a scenario of its own, so that counts
begin at zero, and ends it as a person would, by an interrupt.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError, HTTPClientError

BEDLOAD = os.environ["BEDLOAD"]
FAMILIES = "scenarios/model-families.toml"
FAST = ["--set", "service.first_token=5ms", "--set", "service.output_rate=5000/s"]
QUESTION = "How far does a pebble travel in a year?"
NOVA = "amazon.nova-lite-v1:0"

SCENARIO = """
name = "boto3"
target.stub = {}
run.duration = "60s"
arrivals.constant.rate = "1/s"

[model.nova]
id = "amazon.nova-lite-v1:0"
quota = { rpm = RPM, tpm = 1_000_000 }

[model.haiku]
id = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
quota = { rpm = 1_000, tpm = 1_000_000 }

[[prompt]]
name = "short"
model = "nova"
input_tokens = 10
max_tokens = 50
output_tokens = 20

[[prompt]]
name = "other"
model = "haiku"
input_tokens = 10
max_tokens = 50

[service]
first_token = "5ms"
output_rate = "5000/s"
"""

# Exception, status and words of each failure that the service can answer with.
REFUSALS = {
    "throttled_requests": ("ThrottlingException", 429, "Too many requests, please wait before trying again."),
    "throttled_tokens": ("ThrottlingException", 429, "Too many tokens, please wait before trying again."),
    "throttled_tokens_per_day": ("ThrottlingException", 429, "Too many tokens per day, please wait before trying again."),
    "throttled_other": ("ThrottlingException", 429, "Model is currently overloaded. Please try again later."),
    "model_not_ready": ("ModelNotReadyException", 429, "The model specified in the request is not ready to serve inference requests."),
    "unavailable": ("ServiceUnavailableException", 503, "Bedrock is unable to process your request."),
    "internal_server": ("InternalServerException", 500, "The system encountered an unexpected error during processing. Try your request again."),
    "model_timeout": ("ModelTimeoutException", 408, "Processing time exceeded the model timeout length."),
    "model_error": ("ModelErrorException", 424, "The request failed due to an error while processing the model."),
    "model_stream_error": ("ModelStreamErrorException", 424, "An error occurred while streaming the response. Retry your request."),
    "validation": ("ValidationException", 400, "Malformed input request, please reformat your input and try again."),
    "input_too_long": ("ValidationException", 400, "Input is too long for requested model."),
    "access_denied": ("AccessDeniedException", 403, "You don't have access to the model with the specified model ID."),
    "not_found": ("ResourceNotFoundException", 404, "The specified resource ARN was not found. Check the ARN and try your request again."),
    "quota_exceeded": ("ServiceQuotaExceededException", 400, "Your request exceeds the service quota for your account."),
    "other_service": ("ConflictException", 400, "Error occurred because of a conflict while performing an operation."),
}

# The body that asks a model for at most 50 tokens, and the text in its answer and in a chunk of it.
CHAT = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 50}
BODIES = {
    "haiku": ({"anthropic_version": "bedrock-2023-05-31", **CHAT},
              lambda body: body["content"][0]["text"],
              lambda chunk: chunk.get("delta", {}).get("text", "")),
    "nova": ({"messages": [{"role": "user", "content": [{"text": QUESTION}]}], "inferenceConfig": {"maxTokens": 50}},
             lambda body: body["output"]["message"]["content"][0]["text"],
             lambda chunk: chunk.get("contentBlockDelta", {}).get("delta", {}).get("text", "")),
    "titan-express": ({"inputText": QUESTION, "textGenerationConfig": {"maxTokenCount": 50}},
                      lambda body: body["results"][0]["outputText"],
                      lambda chunk: chunk["outputText"]),
    "llama-3": ({"prompt": QUESTION, "max_gen_len": 50},
                lambda body: body["generation"], lambda chunk: chunk["generation"]),
    "mistral": ({"prompt": QUESTION, "max_tokens": 50},
                lambda body: body["outputs"][0]["text"], lambda chunk: chunk["outputs"][0]["text"]),
    "mistral-large": (CHAT, lambda body: body["choices"][0]["message"]["content"],
                      lambda chunk: chunk["choices"][0]["message"].get("content") or ""),
    "command": ({"prompt": QUESTION, "max_tokens": 50},
                lambda body: body["generations"][0]["text"], lambda chunk: chunk.get("text", "")),
    "command-r": ({"message": QUESTION, "max_tokens": 50},
                  lambda body: body["text"],
                  lambda chunk: chunk["text"] if chunk["event_type"] == "text-generation" else ""),
    "jamba": (CHAT, lambda body: body["choices"][0]["message"]["content"],
              lambda chunk: chunk["choices"][0]["delta"].get("content") or ""),
    "jurassic": ({"prompt": QUESTION, "maxTokens": 50},
                 lambda body: body["completions"][0]["data"]["text"], None),
    "deepseek": ({"prompt": QUESTION, "max_tokens": 50},
                 lambda body: body["choices"][0]["text"], lambda chunk: chunk["choices"][0]["text"]),
    "gpt-oss": (CHAT, lambda body: body["choices"][0]["message"]["content"],
                lambda chunk: chunk["choices"][0]["delta"].get("content") or ""),
}


class Stub:
    """A stub that runs until it is stopped."""

    def __init__(self, scenario, *arguments):
        command = [BEDLOAD, "stub", scenario, "--port", "0", "--quiet", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.environment = {}
        for line in self.process.stdout:
            name, value = line.strip().removeprefix("export ").split("=", 1)
            self.environment[name] = value
            if len(self.environment) == 4:
                break
        if len(self.environment) < 4:
            raise AssertionError(self.process.stderr.read())
        self.url = self.environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]

    def client(self, **config):
        config = {"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 20, **config}
        return boto3.client(
            "bedrock-runtime",
            region_name=self.environment["AWS_REGION"],
            endpoint_url=self.url,
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(**config),
        )

    def state(self):
        with urllib.request.urlopen(self.url + "/_bedload/state", timeout=5) as answer:
            return json.load(answer)

    def reset(self):
        urllib.request.urlopen(urllib.request.Request(self.url + "/_bedload/reset", method="POST"), timeout=5).close()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=10)
        return self.process.returncode, said


def ask(client, model=NOVA, text=QUESTION, **more):
    return client.converse(modelId=model, **question(text), **more)


def question(text=QUESTION, max_tokens=50):
    return {
        "messages": [{"role": "user", "content": [{"text": text}]}],
        "inferenceConfig": {"maxTokens": max_tokens},
    }


class StubTest(unittest.TestCase):
    maxDiff = None

    def serve(self, scenario, *arguments):
        stub = Stub(scenario, *arguments)
        self.addCleanup(self.ended_well, stub)
        return stub

    def ended_well(self, stub):
        code, said = stub.stop()
        self.assertEqual(code, 0, said)

    def serve_with(self, more="", rpm=1000):
        with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as file:
            file.write(SCENARIO.replace("RPM", str(rpm)) + more)
        self.addCleanup(os.unlink, file.name)
        return self.serve(file.name)

    def refused(self, name, status, words, call):
        with self.assertRaises(ClientError) as caught:
            call()
        error = caught.exception
        self.assertEqual(type(error).__name__, name)
        self.assertEqual(error.response["Error"], {"Code": name, "Message": words})
        self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], status)


class Families(StubTest):
    """Every family of models, through every operation."""

    @classmethod
    def setUpClass(cls):
        cls.stub = Stub(FAMILIES, *FAST)
        cls.client = cls.stub.client()
        cls.models = {name: model["id"] for name, model in cls.stub.state()["models"].items()}

    @classmethod
    def tearDownClass(cls):
        code, said = cls.stub.stop()
        assert code == 0, said

    def test_converse_answers(self):
        for name, model in self.models.items():
            with self.subTest(name):
                answer = ask(self.client, model)
                text = answer["output"]["message"]["content"][0]["text"]
                usage = answer["usage"]
                self.assertEqual(usage["inputTokens"], -(-len(QUESTION) // 4))
                self.assertEqual(usage["outputTokens"] * 4, len(text))
                self.assertEqual(usage["totalTokens"], usage["inputTokens"] + usage["outputTokens"])
                cut_off = usage["outputTokens"] == 50
                self.assertIn(answer["stopReason"], ["max_tokens", "end_turn"] if cut_off else ["end_turn"])
                self.assertGreaterEqual(answer["metrics"]["latencyMs"], 5)

    def test_converse_stream_answers(self):
        for name, model in self.models.items():
            with self.subTest(name):
                events = list(self.client.converse_stream(modelId=model, **question())["stream"])
                kinds = [next(iter(event)) for event in events]
                deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
                expected = ["messageStart"] + ["contentBlockDelta"] * len(deltas)
                self.assertEqual(kinds, expected + ["contentBlockStop", "messageStop", "metadata"])
                self.assertEqual(events[0]["messageStart"], {"role": "assistant"})
                usage = events[-1]["metadata"]["usage"]
                self.assertEqual(usage["outputTokens"] * 4, len("".join(deltas)))
                self.assertEqual(usage["inputTokens"], -(-len(QUESTION) // 4))

    def test_invoke_model_answers(self):
        self.assertTrue(set(BODIES) <= set(self.models))
        for name, (body, text, _) in BODIES.items():
            with self.subTest(name):
                answer = self.client.invoke_model(modelId=self.models[name], body=json.dumps(body))
                headers = answer["ResponseMetadata"]["HTTPHeaders"]
                said = text(json.loads(answer["body"].read()))
                self.assertEqual(int(headers["x-amzn-bedrock-output-token-count"]) * 4, len(said))
                self.assertEqual(int(headers["x-amzn-bedrock-input-token-count"]), -(-len(QUESTION) // 4))

    def test_invoke_model_streams(self):
        for name, (body, _, text) in BODIES.items():
            def call():
                return self.client.invoke_model_with_response_stream(
                    modelId=self.models[name], body=json.dumps(body))
            with self.subTest(name):
                if text is None:
                    self.refused("ValidationException", 400, "The model is unsupported for streaming.", call)
                    continue
                chunks = [json.loads(event["chunk"]["bytes"]) for event in call()["body"]]
                metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
                self.assertTrue(all("amazon-bedrock-invocationMetrics" not in chunk for chunk in chunks[:-1]))
                said = "".join(text(chunk) for chunk in chunks)
                self.assertEqual(metrics["outputTokenCount"] * 4, len(said))
                self.assertEqual(metrics["inputTokenCount"], -(-len(QUESTION) // 4))
                self.assertGreaterEqual(metrics["invocationLatency"], metrics["firstByteLatency"])

    def test_tokens_are_counted_as_they_are_billed(self):
        for name, (body, _, _) in BODIES.items():
            model = self.models[name]
            with self.subTest(name):
                billed = ask(self.client, model)["usage"]["inputTokens"]
                shapes = [{"converse": {"messages": question()["messages"]}},
                          {"invokeModel": {"body": json.dumps(body)}}]
                for shape in shapes:
                    counted = self.client.count_tokens(modelId=model, input=shape)["inputTokens"]
                    self.assertEqual(counted, billed)


class Refusals(StubTest):
    def test_a_model_has_several_ids(self):
        client = self.serve_with().client()
        arn = "arn:aws:bedrock:us-east-1::foundation-model/" + NOVA
        profile = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us." + NOVA
        for model in [NOVA, "us." + NOVA, arn, profile, "global.anthropic.claude-haiku-4-5-20251001-v1:0"]:
            with self.subTest(model):
                self.assertEqual(ask(client, model)["usage"]["outputTokens"], 20 if "nova" in model else 50)
        self.refused("ValidationException", 400, "The provided model identifier is invalid.",
                     lambda: ask(client, "amazon.nova-nobody-v1:0"))
        bare = "anthropic.claude-haiku-4-5-20251001-v1:0"
        words = (f"Invocation of model ID {bare} with on-demand throughput isn\u2019t supported. Retry your "
                 "request with the ID or ARN of an inference profile that contains this model.")
        self.refused("ValidationException", 400, words, lambda: ask(client, bare))

    def test_bodies_are_checked(self):
        stub = self.serve_with()
        client = stub.client()
        malformed = "Malformed input request: {}, please reformat your input and try again."
        body = BODIES["nova"][0]
        for broken, words in [
            (b"{", "Malformed input request, please reformat your input and try again."),
            (json.dumps({**body, "top_q": 1}).encode(), malformed.format("#: extraneous key [top_q] is not permitted")),
            (b'{"inferenceConfig": {}}', malformed.format("#: required key [messages] not found")),
        ]:
            with self.subTest(words):
                self.refused("ValidationException", 400, words,
                             lambda: client.invoke_model(modelId=NOVA, body=broken))
        limit = ("The maximum tokens you requested exceeds the model limit of 10000. "
                 "Try again with a maximum tokens value that is lower than 10000.")
        self.refused("ValidationException", 400, limit,
                     lambda: client.converse(modelId=NOVA, **question(max_tokens=10_001)))
        self.refused("ValidationException", 400, "Input is too long for requested model.",
                     lambda: ask(client, text="x" * 4 * 300_004))
        state = stub.state()
        self.assertEqual(state["models"]["nova"]["outcomes"], {})
        self.assertEqual(sum(state["refused"].values()), 5)

    def test_each_error_arrives_by_its_name(self):
        for failure, (name, status, words) in REFUSALS.items():
            stub = self.serve_with(f'[[service.fault]]\nrefuse = "{failure}"\ncalls = [1, 2]\n')
            client = stub.client()
            with self.subTest(failure):
                # The operation whose model has the most errors; ModelStreamErrorException is only its.
                body = json.dumps(BODIES["nova"][0])
                stream = lambda: client.invoke_model_with_response_stream(modelId=NOVA, body=body)
                self.refused(name, status, words, stream)
                self.assertEqual(self.code_of(lambda: ask(client)), name)
                self.assertEqual(ask(client)["usage"]["outputTokens"], 20)
                self.assertEqual(stub.state()["models"]["nova"]["outcomes"], {"answered": 1, failure: 2})

    def code_of(self, call):
        with self.assertRaises(ClientError) as caught:
            call()
        return caught.exception.response["Error"]["Code"]

    def test_quota_is_enforced_and_can_be_reset(self):
        stub = self.serve_with(rpm=2)
        client = stub.client()
        for _ in range(2):
            ask(client)
        words = "Too many requests, please wait before trying again."
        self.refused("ThrottlingException", 429, words, lambda: ask(client))
        nova = stub.state()["models"]["nova"]
        self.assertEqual(nova["outcomes"], {"answered": 2, "throttled_requests": 1})
        self.assertEqual(nova["level"]["rpm"], 0)
        stub.reset()
        self.assertEqual(stub.state()["models"]["nova"]["level"], {"rpm": 2, "tpm": 1_000_000})
        ask(client)
        self.assertEqual(stub.state()["models"]["nova"]["outcomes"], {"answered": 1})


class Streams(StubTest):
    def heard(self, stub):
        """What came of a stream before it broke off, and how it did."""
        pieces, broke = [], None
        try:
            for event in stub.client().converse_stream(modelId=NOVA, **question())["stream"]:
                pieces.append(next(iter(event)))
        except Exception as error:  # which one is what the tests look at
            broke = error
        return pieces, broke

    def test_an_exception_in_a_stream_arrives_after_some_text(self):
        for failure in ["throttled_tokens", "model_stream_error", "unavailable", "internal_server", "input_too_long"]:
            name, _, words = REFUSALS[failure]
            stub = self.serve_with(f'[[service.fault]]\nexception = "{failure}"\n')
            with self.subTest(failure):
                pieces, broke = self.heard(stub)
                self.assertEqual(pieces, ["messageStart"] + ["contentBlockDelta"] * 10)
                self.assertIsInstance(broke, EventStreamError)
                code = name[0].lower() + name[1:]
                self.assertEqual(broke.response["Error"], {"Code": code, "Message": words})

    def test_a_stream_that_ends_too_early_is_no_error_to_botocore(self):
        pieces, broke = self.heard(self.serve_with('[[service.fault]]\ndamage = "early-end"\n'))
        self.assertEqual(pieces, ["messageStart"] + ["contentBlockDelta"] * 10)
        self.assertIsNone(broke)

    def test_broken_streams_are_noticed(self):
        for fault in ['reset = "before-head"', 'reset = "mid-body"', 'damage = "truncated-chunk"', 'damage = "corrupt"']:
            with self.subTest(fault):
                pieces, broke = self.heard(self.serve_with(f"[[service.fault]]\n{fault}\n"))
                self.assertNotIn("messageStop", pieces)
                self.assertIsNotNone(broke)

    def test_a_reset_before_the_head_is_a_connection_error(self):
        stub = self.serve_with('[[service.fault]]\nreset = "before-head"\n')
        self.assertRaises(HTTPClientError, lambda: ask(stub.client()))


class Retries(StubTest):
    """botocore's own retry modes behave as against AWS."""

    def retried(self, failure, mode):
        stub = self.serve_with(f'[[service.fault]]\nrefuse = "{failure}"\ncalls = [1, 2]\n')
        client = stub.client(retries={"mode": mode, "total_max_attempts": 3})
        return ask(client)["ResponseMetadata"]["RetryAttempts"]

    def test_what_may_pass_is_tried_again(self):
        for mode in ["legacy", "standard", "adaptive"]:
            for failure in ["throttled_tokens", "unavailable", "internal_server"]:
                with self.subTest(mode=mode, failure=failure):
                    self.assertEqual(self.retried(failure, mode), 2)

    def test_what_cannot_pass_is_not(self):
        stub = self.serve_with('[[service.fault]]\nrefuse = "validation"\n')
        client = stub.client(retries={"mode": "standard", "total_max_attempts": 3})
        self.refused("ValidationException", 400, REFUSALS["validation"][2], lambda: ask(client))
        self.assertEqual(stub.state()["models"]["nova"]["outcomes"], {"validation": 1})

    def test_standard_mode_gives_up_after_its_attempts(self):
        stub = self.serve_with('[[service.fault]]\nrefuse = "throttled_requests"\n')
        client = stub.client(retries={"mode": "standard", "total_max_attempts": 3})
        with self.assertRaises(client.exceptions.ThrottlingException):
            ask(client)
        self.assertEqual(stub.state()["models"]["nova"]["outcomes"], {"throttled_requests": 3})


if __name__ == "__main__":
    unittest.main(verbosity=1)
