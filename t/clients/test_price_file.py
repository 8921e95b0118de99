"""tools/bedrock-prices, with a price map and offer files that are made up; and the file that is shipped, in nginx."""

import subprocess
import zipfile

import pytest

from conftest import ROOT, defaults, eventually

TOOL = ROOT / "tools/bedrock-prices"
MADE = ROOT / "fixtures/prices"
OFFERS = [MADE / "AmazonBedrock.json", MADE / "AmazonBedrockFoundationModels.json"]

FROM_MAP = """\
model amazon.nova-made-v1:0 {
    input 0.06; output 0.24; tier flex 0.5;
    tier priority { input 0.11; output 0.42; }
    region eu-west-2 { input 0.08; output 0.32; }
    region eu-* { input 0.078; output 0.312; }
    max_output 10000;
}
model eu.amazon.nova-made-v1:0 { input 0.078; output 0.312; max_output 10000; }
model amazon.titan-embed-made { input 0.02; output 0; }
model anthropic.claude-sonnet-9-20301231-v1:0 {
    input 3.3; output 16.5; cache_read 0.33; cache_write 4.125; cache_write_1h 6.6;
    region us-gov-west-1 { input 3.6; output 18; }
    max_output 64000; burndown 5;
}
model global.anthropic.claude-sonnet-9-20301231-v1:0 {
    input 3; output 15; cache_read 0.3; cache_write 3.75; cache_write_1h 6;
    above 200000 { input 6; output 22.5; }
    max_output 64000; burndown 5;
}
"""
# The price of writes for an hour is missing in the map for eu., and apac., jp. and au. are missing altogether.
ALIKE = """\
model {}.anthropic.claude-sonnet-9-20301231-v1:0 {{
    input 3.3; output 16.5; cache_read 0.33; cache_write 4.125; cache_write_1h 6.6; max_output 64000; burndown 5;
}}
"""
AND_MORE = """\
model cohere.rerank-made { input 0; output 0; per_search_unit 0.002; }
model openai.gpt-made { input 2; output 10; max_output 128000; }
model stability.stable-image-made { input 0; output 0; per_image 0.04; }
"""
FROM_OFFERS = """\
model amazon.nova-made-v1:0 {
    input 0.06; output 0.24; cache_read 0.015; tier flex 0.5;
    region eu-west-1 { input 0.078; output 0.312; }
    max_output 10000;
}
model eu.amazon.nova-made-v1:0 { input 0.078; output 0.312; max_output 10000; }
model amazon.titan-embed-made { input 0.02; output 0; }
model anthropic.claude-sonnet-9-20301231-v1:0 {
    input 3.3; output 16.5; cache_read 0.33; cache_write 4.125; cache_write_1h 6.6; max_output 64000; burndown 5;
}
model global.anthropic.claude-sonnet-9-20301231-v1:0 { input 3; output 15; above 200000 { input 6; output 22.5; } max_output 64000; burndown 5; }
model us.anthropic.claude-sonnet-9-20301231-v1:0 {
    input 3.3; output 16.5; cache_read 0.33; cache_write 4.125; cache_write_1h 6.6; max_output 64000; burndown 5;
}
model cohere.rerank-made { input 0; output 0; per_search_unit 0.002; }
model openai.gpt-made { input 2.2; output 11; max_output 128000; }
"""


def made(*arguments, status=0):
    done = subprocess.run([TOOL, "--date", "2030-01-04", *arguments], capture_output=True, timeout=60, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def test_the_price_map():
    text, said = made("litellm", MADE / "map.json")
    head, _, models = text.partition("date 2030-01-04;\n\n")
    assert head.startswith("# List prices of models in USD for a million tokens, from the price map of LiteLLM (MIT), corrected.\n")
    assert models == FROM_MAP + "".join(ALIKE.format(geography) for geography in ("us", "eu", "apac", "jp", "au")) + AND_MORE
    assert said == "bedrock-prices: amazon.titan-embed-image-made: left out: input_cost_per_image: no such thing is counted\n"


def test_the_price_map_in_a_wheel(tmp_path):
    path = tmp_path / "litellm-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.write(MADE / "map.json", "litellm/model_prices_and_context_window_backup.json")
        wheel.writestr("litellm-1.2.3.dist-info/METADATA", "Metadata-Version: 2.4\nName: litellm\nVersion: 1.2.3\n")
    text, _ = made("litellm", path)
    assert ", from the price map of LiteLLM 1.2.3 (MIT), corrected.\n" in text
    assert text.endswith(AND_MORE)


def test_the_offer_files(tmp_path):
    known = tmp_path / "known"
    known.write_text(made("litellm", MADE / "map.json")[0])
    text, said = made("aws", "--known", known, *OFFERS)
    assert ", from AWS's offers of 2030-01-03.\n" in text
    assert text.partition("date 2030-01-04;\n\n")[2] == FROM_OFFERS
    assert 'USE1-Odd-input-tokens: left out: the unit "barrels" is not known\n' in said
    assert "jp.anthropic.claude-sonnet-9-20301231-v1:0: not in these offers\n" in said


def test_prices_of_long_prompts_need_a_bound(tmp_path):
    known = tmp_path / "known"
    known.write_text("model global.anthropic.claude-sonnet-9 { input 1; output 1; }\n")
    _, said = made("aws", "--known", known, *OFFERS, status=1)
    assert "nobody knows from where on" in said
    assert said.endswith("no prices found\n")


@pytest.mark.parametrize("source", ["map", "offers", "shipped"])
def test_nginx_takes_what_is_made(source, nginx, sim, tmp_path):
    file = tmp_path / "bedrock_prices"
    match source:
        case "map":
            file.write_text(made("litellm", MADE / "map.json")[0])
        case "offers":
            known = tmp_path / "known"
            known.write_text(made("litellm", MADE / "map.json")[0])
            file.write_text(made("aws", "--known", known, *OFFERS)[0])
        case "shipped":
            file = ROOT / "nginx-conf/bedrock_prices"
    model = "amazon.nova-lite-v1:0" if source == "shipped" else "amazon.nova-made-v1:0"
    server = f"location / {{ bedrock on; bedrock_region us-east-1; access_log cost.log cost; bedrock_model {model}; proxy_pass http://bedrock; }}"
    http = f"bedrock_prices {file}; log_format cost '$bedrock_input_tokens $bedrock_output_tokens $bedrock_cost $bedrock_price';"
    gateway = nginx(server, defaults(sim.port) + http)
    body = '{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}'
    subprocess.run(["curl", "-sf", "-H", "Content-Type: application/json", "-d", body, f"{gateway.url}/model/{model}/converse"], check=True, stdout=subprocess.DEVNULL)
    log = gateway.directory / "cost.log"
    assert eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    read, wrote, cost, rule = log.read_text().split()
    assert rule == model
    assert cost == f"{(int(read) * 60 + int(wrote) * 240) / 1e9:.9f}"
