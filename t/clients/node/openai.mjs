// Calls of the OpenAI package, each a line of JSON on standard input: {"scenario", "url", "model", "retries"}. The answer is a line with
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

  async response(client, model) {
    const { data, request_id } = await client.responses.create({ model, input: "Hi", instructions: "Be brief." }).withResponse();
    return { text: data.output_text, status: data.status, usage: data.usage.total_tokens, request_id };
  },

  async response_stream(client, model) {
    const seen = { text: "", kinds: [] };
    const stream = client.responses.stream({ model, input: "Hi", reasoning: { summary: "auto" } });
    for await (const event of stream) {
      seen.kinds.push(event.type);
      if (event.type === "response.output_text.delta") seen.text += event.delta;
    }
    const final = await stream.finalResponse();
    const message = final.output.find((item) => item.type === "message");
    return { ...seen, final: message.content[0].text, status: final.status };
  },

  // What a reader sees of a stream that breaks: the last event, and that the connection was cut.
  async response_broken(client, model) {
    const kinds = [];
    try {
      for await (const event of await client.responses.create({ model, input: "Hi", stream: true })) kinds.push(event.type);
      return { last: kinds.at(-1), thrown: false };
    } catch {
      return { last: kinds.at(-1), thrown: true };
    }
  },

  // An agent's loop: what came is sent back as it came, with what the tools gave.
  async response_tools(client, model) {
    const input = [{ role: "user", content: "What is the weather in Paris?" }];
    const functions = tools.map(({ function: one }) => ({ type: "function", strict: false, ...one }));
    const called = [];
    for (;;) {
      const answer = await client.responses.create({ model, input, tools: functions });
      const calls = answer.output.filter((item) => item.type === "function_call");
      if (calls.length === 0) return { text: answer.output_text, called };
      input.push(...answer.output);
      for (const call of calls) {
        const { city } = JSON.parse(call.arguments);
        called.push({ city });
        input.push({ type: "function_call_output", call_id: call.call_id, output: `18 in ${city}` });
      }
    }
  },

  async models(client) {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return { ids, one: (await client.models.retrieve(ids[0])).id };
  },
};

async function outcome({ scenario, url, model, retries = 0 }) {
  const client = new OpenAI({ baseURL: url, apiKey: "any string", maxRetries: retries, timeout: 20_000 });
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
