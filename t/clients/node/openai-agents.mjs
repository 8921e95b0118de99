// Runs of OpenAI's Agents SDK, each a line of JSON on standard input: {"url", "models", "streamed"}. The answer is a line with what
// an application would see of a session that asks each model the same.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.TEST_FRAMEWORKS}/`);
const { Agent, OpenAIResponsesModel, Runner, setTracingDisabled, tool } = require("@openai/agents");
const { OpenAI } = require("openai");
const { z } = require("zod");

setTracingDisabled(true);
const weather = tool({
  name: "get_weather",
  description: "Says the weather.",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `18 °C in ${city}`,
});
const question = { role: "user", content: "What is the weather in Paris?" };

async function session({ url, models, streamed }) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "any string", maxRetries: 0 });
  const seen = [];
  let history = [];
  for (const id of models) {
    const model = new OpenAIResponsesModel(client, id);
    const agent = new Agent({ name: "Helper", instructions: "You help.", tools: [weather], model, modelSettings: { store: false } });
    const asked = [...history, question];
    const result = streamed ? await new Runner().run(agent, asked, { stream: true }) : await new Runner().run(agent, asked);
    if (streamed) await result.completed;
    history = result.history;
    const calls = result.newItems.filter((item) => item.type === "tool_call_item").map((item) => item.rawItem.arguments);
    seen.push({ text: result.finalOutput, calls });
  }
  return seen;
}

for await (const line of createInterface({ input: process.stdin })) {
  const seen = await session(JSON.parse(line)).catch((error) => ({ error: `${error}` }));
  console.log(JSON.stringify(seen));
}
