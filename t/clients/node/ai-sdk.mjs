// Calls of Vercel's AI SDK, each a line of JSON on standard input: {"url", "api", "models", "streamed", "output"}. The answer is a
// line with what an application would see of a session that asks each model the same.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.TEST_NODE_MODULES}/`);
const { generateText, streamText, generateObject, stepCountIs, tool } = require("ai");
const { createOpenAI } = require("@ai-sdk/openai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const { createAnthropic } = require("@ai-sdk/anthropic");
const { createAmazonBedrock } = require("@ai-sdk/amazon-bedrock");
const { z } = require("zod");

const apis = {
  chat: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "any string" }).chat,
  // What it takes by itself, since it has both.
  responses: (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "any string" }),
  compatible: (url) => createOpenAICompatible({ name: "gateway", baseURL: `${url}/v1`, apiKey: "any string", includeUsage: true }),
  messages: (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: "any string" }),
  native: (url) => createAmazonBedrock({ baseURL: url, region: "us-west-2", accessKeyId: "CLIENT", secretAccessKey: "any" }),
};
// Without it the SDK refers to items that OpenAI has stored.
const providerOptions = { openai: { store: false } };
const weather = tool({
  description: "Says the weather.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `18 °C in ${city}`,
});
const question = { role: "user", content: "What is the weather in Paris?" };

async function session({ url, api, models, streamed }) {
  const provider = apis[api](url);
  const seen = [];
  let messages = [];
  for (const id of models) {
    messages = [...messages, question];
    const asked = { model: provider(id), system: "You help.", messages, tools: { get_weather: weather }, stopWhen: stepCountIs(9), maxRetries: 0, providerOptions };
    const result = streamed ? streamText({ ...asked, onError() {} }) : await generateText(asked);
    if (streamed) await result.consumeStream();
    const steps = await result.steps;
    const { messages: answers } = await result.response;
    messages = [...messages, ...answers];
    const calls = steps.flatMap((step) => step.toolCalls.map((call) => call.input));
    const { inputTokens, outputTokens } = await result.totalUsage;
    seen.push({ text: steps.at(-1).text, calls, inputTokens, outputTokens });
  }
  return seen;
}

async function object({ url, api, models: [id] }) {
  const schema = z.object({ city: z.string(), degrees: z.number() });
  return (await generateObject({ model: apis[api](url)(id), schema, prompt: question.content, maxRetries: 0 })).object;
}

globalThis.AI_SDK_LOG_WARNINGS = false;
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const seen = await (asked.output ? object : session)(asked).catch((error) => ({ error: `${error}` }));
  console.log(JSON.stringify(seen));
}
