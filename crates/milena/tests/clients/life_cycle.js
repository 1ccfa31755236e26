// kafka-connect-client 2.3.0 of npm through its life cycle, unchanged.
// usage: node life_cycle.js URL FOLDER
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const { KafkaConnectClient } = require("kafka-connect-client");

const [url, folder] = process.argv.slice(2);
const PATIENCE = 60_000;

async function until(what, holds) {
  const deadline = Date.now() + PATIENCE;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function main() {
  const name = "npm";
  const file = `${folder}/${name}.txt`;
  fs.writeFileSync(file, "one\ntwo\n");
  const config = { "connector.class": "FileStreamSource", "tasks.max": "1", file, topic: "clients-npm" };
  const client = new KafkaConnectClient({
    protocol: "http",
    host: new URL(url).hostname,
    port: new URL(url).port,
  });
  assert.match((await client.getCluster()).data.version, /^4\./);
  assert.ok((await client.getConnectorPlugins()).data.length > 0);
  const named = { name, ...config };
  assert.strictEqual((await client.validateConnectorConfig("FileStreamSource", named)).data.error_count, 0);
  const created = await client.createConnector(name, config);
  assert.strictEqual(created.status, 201);
  assert.ok((await client.getConnectors()).data.includes(name));
  const expanded = await client.getConnectors({ expand: ["info", "status"] });
  assert.ok(expanded.status === 200);
  const connector = client.connector(name);
  const states = async () => {
    const { data } = await connector.getStatus().catch((error) => {
      // Right after its creation a connector has no status.
      if (error.response?.status === 404) return { data: { connector: {}, tasks: [] } };
      throw error;
    });
    return [data.connector.state, ...data.tasks.map((task) => task.state)].join(" ");
  };
  const is = (wanted) => async () => (await states()) === wanted;
  await until("running", is("RUNNING RUNNING"));
  assert.deepStrictEqual({ ...(await connector.getConfig()).data }, named);
  await connector.updateConfig({ ...config, "batch.size": "9" });
  assert.strictEqual((await connector.get()).data.config["batch.size"], "9");
  await until("running", is("RUNNING RUNNING"));
  assert.strictEqual((await connector.getTasks()).data.length, 1);
  await until("task running", async () => (await connector.getTaskStatus(0)).data.state === "RUNNING");
  assert.strictEqual((await connector.restart()).status, 204);
  // What axios sends without a body says that it is a form: the Java worker answers 415 to this client too.
  for (const verb of ["pause", "resume", "stop", "resetTopics"]) {
    await assert.rejects(connector[verb](), (error) => error.response.status === 415, verb);
  }
  // Its getTopics() reads a field of a text, whoever answers.
  await connector.getOffsets();
  assert.strictEqual((await connector.delete()).status, 204);
  await assert.rejects(connector.get(), (error) => error.response.status === 404);
  console.log("ok npm");
}

main().catch((error) => {
  console.error(error.response ? error.response.data : error.stack);
  process.exit(1);
});
