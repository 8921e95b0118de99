// Calls of the OpenAI package, each a line of JSON on standard input: {"scenario", "url", "model"}. The answer is a line with
// what an application would see.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const OpenAI = createRequire(`${process.env.TEST_NODE_MODULES}/`)("openai");
const messages = [{ role: "user", content: "What is the weather in Paris?" }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", description: "Says the weather.", parameters } }];

const scenarios = {
  async plain(client, model) {
    const { data, request_id } = await client.chat.completions.create({ model, messages }).withResponse();
    return { text: data.choices[0].message.content, finish: data.choices[0].finish_reason, usage: data.usage, request_id };
  },

  async stream(client, model) {
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    const seen = { text: "", finish: [], usage: null };
    for await (const chunk of stream) {
      seen.text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.choices[0]?.finish_reason) seen.finish.push(chunk.choices[0].finish_reason);
      seen.usage ??= chunk.usage;
    }
    return seen;
  },

  // The helper calls the functions itself and goes on until the model has its answer.
  async tools(client, model) {
    const called = [];
    const weather = (input) => (called.push(input), `18 in ${input.city}`);
    const runnable = { ...tools[0], function: { ...tools[0].function, function: weather, parse: JSON.parse } };
    const runner = client.chat.completions.runTools({ model, messages, tools: [runnable], stream: true });
    return { text: await runner.finalContent(), called };
  },

  async models(client) {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return { ids, one: (await client.models.retrieve(ids[0])).id };
  },
};

async function outcome({ scenario, url, model }) {
  const client = new OpenAI({ baseURL: url, apiKey: "any string", maxRetries: 0, timeout: 20_000 });
  try {
    return await scenarios[scenario](client, model);
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return { error: error.constructor.name, status: error.status, code: error.code, request_id: error.requestID };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line))));
}
