// Calls of Anthropic's package, each a line of JSON on standard input: {"scenario", "url", "model", "retries"}. The answer is a line with
// what an application would see.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const Anthropic = createRequire(`${process.env.TEST_NODE_MODULES}/`)("@anthropic-ai/sdk");
const messages = [{ role: "user", content: "What is the weather in Paris?" }];
const input_schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ name: "get_weather", description: "Says the weather.", input_schema }];
const question = (model) => ({ model, messages, max_tokens: 100 });

const scenarios = {
  async plain(client, model) {
    const { data, request_id } = await client.messages.create(question(model)).withResponse();
    return { text: data.content[0].text, stop: data.stop_reason, usage: data.usage, request_id };
  },

  async stream(client, model) {
    const kinds = [];
    for await (const event of await client.messages.create({ ...question(model), stream: true })) kinds.push(event.type);
    return { kinds };
  },

  // The helper puts the message together again.
  async helper(client, model) {
    const stream = client.messages.stream({ ...question(model), tools });
    let text = "";
    stream.on("text", (piece) => (text += piece));
    const message = await stream.finalMessage();
    return { text, content: message.content, stop: message.stop_reason, usage: message.usage };
  },

  async tools(client, model) {
    const asked = await client.messages.stream({ ...question(model), tools }).finalMessage();
    const call = asked.content.find((block) => block.type === "tool_use");
    const result = { type: "tool_result", tool_use_id: call.id, content: `18 in ${call.input.city}` };
    const turns = [...messages, { role: "assistant", content: asked.content }, { role: "user", content: [result] }];
    const answer = await client.messages.create({ ...question(model), tools, messages: turns });
    return { text: answer.content[0].text, input: call.input };
  },

  async count(client, model) {
    return await client.messages.countTokens({ model, messages });
  },

  async models(client) {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return { ids, one: (await client.models.retrieve(ids[0])).id };
  },
};

async function outcome({ scenario, url, model, retries = 0 }) {
  const client = new Anthropic({ baseURL: url, apiKey: "any string", maxRetries: retries, timeout: 20_000 });
  try {
    return await scenarios[scenario](client, model);
  } catch (error) {
    if (!(error instanceof Anthropic.APIError)) throw error;
    return { error: error.constructor.name, status: error.status ?? null, body: error.error ?? null };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line))));
}
