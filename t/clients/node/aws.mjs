// Calls of AWS's SDK for JavaScript, each a line of JSON on standard input: {"scenario", "url", "model", "http1", "token",
// "retries"}. The answer is a line with what an application would see. Unless `http1` says otherwise the SDK has its own default:
// HTTP/2 alone.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.TEST_NODE_MODULES}/`);
const aws = require("@aws-sdk/client-bedrock-runtime");
const { NodeHttpHandler } = createRequire(require.resolve("@aws-sdk/client-bedrock-runtime"))("@smithy/node-http-handler");
const messages = [{ role: "user", content: [{ text: "What is the weather in Paris?" }] }];
const json = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const toolConfig = { tools: [{ toolSpec: { name: "get_weather", description: "Says the weather.", inputSchema: { json } } }] };

async function events(client, command) {
  const { stream, body } = await client.send(command);
  const seen = [];
  for await (const event of stream ?? body) seen.push(event);
  return seen;
}

const said = (seen) => seen.map((event) => event.contentBlockDelta?.delta.text ?? "").join("");

const scenarios = {
  async converse(client, modelId) {
    const answer = await client.send(new aws.ConverseCommand({ modelId, messages }));
    return { text: answer.output.message.content[0].text, usage: answer.usage, request_id: answer.$metadata.requestId };
  },

  async stream(client, modelId) {
    const seen = await events(client, new aws.ConverseStreamCommand({ modelId, messages }));
    return { text: said(seen), kinds: [...new Set(seen.flatMap(Object.keys))], usage: seen.at(-1).metadata.usage };
  },

  async tools(client, modelId) {
    const asked = await client.send(new aws.ConverseCommand({ modelId, messages, toolConfig }));
    const { toolUse } = asked.output.message.content.find((block) => block.toolUse);
    const result = { toolUseId: toolUse.toolUseId, content: [{ text: `18 in ${toolUse.input.city}` }] };
    const turns = [...messages, asked.output.message, { role: "user", content: [{ toolResult: result }] }];
    const seen = await events(client, new aws.ConverseStreamCommand({ modelId, messages: turns, toolConfig }));
    return { text: said(seen) };
  },

  async invoke_stream(client, modelId) {
    const body = JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] });
    const seen = await events(client, new aws.InvokeModelWithResponseStreamCommand({ modelId, body, contentType: "application/json" }));
    return { kinds: seen.map(({ chunk }) => JSON.parse(new TextDecoder().decode(chunk.bytes)).type) };
  },

  // All at once over the client's one connection.
  async many(client, modelId) {
    const streams = Array.from({ length: 20 }, () => events(client, new aws.ConverseStreamCommand({ modelId, messages })));
    return { texts: [...new Set((await Promise.all(streams)).map(said))] };
  },
};

async function outcome({ scenario, url, model, http1, token, retries = 0 }) {
  const credentials = { accessKeyId: "CLIENT", secretAccessKey: "the client's own secret" };
  const bearer = { token: { token }, authSchemePreference: ["httpBearerAuth"] };
  const client = new aws.BedrockRuntimeClient({
    endpoint: url,
    region: "us-west-2",
    ...(token ? bearer : { credentials }),
    maxAttempts: 1 + retries,
    ...(http1 ? { requestHandler: new NodeHttpHandler() } : {}),
  });
  try {
    return await scenarios[scenario](client, model);
  } catch (error) {
    return { error: error.name, message: error.message, status: error.$metadata?.httpStatusCode ?? null };
  } finally {
    client.destroy();
  }
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await outcome(JSON.parse(line))));
