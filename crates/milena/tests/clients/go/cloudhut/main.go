// The life cycle of a connector with the client of cloudhut/connect-client, unchanged; prints what each call
// answered, the same for every worker.
//
// usage: cloudhut URL FOLDER
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	connect "github.com/cloudhut/connect-client"
)

const patience = 60 * time.Second

var worker, folder = os.Args[1], os.Args[2]

// say prints a result without what differs from run to run.
func say(what string, result any, err error) {
	text := fmt.Sprintf("%s: ", what)
	if err != nil {
		text += fmt.Sprintf("error %T %s", err, err)
	} else {
		encoded, failed := json.Marshal(result)
		if failed != nil {
			panic(failed)
		}
		text += string(encoded)
	}
	host, _ := url.Parse(worker)
	text = strings.ReplaceAll(text, folder, "FOLDER")
	fmt.Println(strings.ReplaceAll(strings.ReplaceAll(text, worker, "URL"), host.Host, "WORKER"))
}

func until(what string, holds func() bool) {
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			fmt.Println("never:", what)
			os.Exit(1)
		}
	}
}

func main() {
	ctx, name := context.Background(), "cloudhut"
	client := connect.NewClient(connect.WithHost(worker), connect.WithTimeout(patience), connect.WithUserAgent("milena"))
	file := filepath.Join(folder, "cloudhut.txt")
	if err := os.WriteFile(file, []byte("one\ntwo\n"), 0o644); err != nil {
		panic(err)
	}
	config := map[string]interface{}{
		"connector.class": "FileStreamSource", "tasks.max": "1", "file": file, "topic": "clients-cloudhut",
	}
	states := func(state string, tasks int) {
		until(state, func() bool {
			status, err := client.GetConnectorStatus(ctx, name)
			if err != nil || status.Connector.State != state || len(status.Tasks) != tasks {
				return false
			}
			for _, task := range status.Tasks {
				if task.State != state {
					return false
				}
			}
			return true
		})
	}

	root, err := client.GetRoot(ctx)
	line, _, _ := strings.Cut(root.Version, ".")
	say("root", []any{line, root.Commit != "", root.KafkaClusterID != ""}, err)
	plugins, err := client.GetConnectorPlugins(ctx)
	for _, plugin := range plugins {
		if strings.HasSuffix(plugin.Class, ".FileStreamSourceConnector") {
			say("plugin", []string{plugin.Class, plugin.Type}, err)
		}
	}
	wanted := map[string]interface{}{"name": name}
	for key, value := range config {
		wanted[key] = value
	}
	valid, err := client.PutValidateConnectorConfig(ctx, "FileStreamSource", connect.ValidateConnectorConfigOptions{Config: wanted})
	say("validate", []any{valid.Name, valid.ErrorCount, valid.Groups}, err)
	for _, one := range valid.Configs {
		// Milena says it in its own words.
		delete(one.Definition, "documentation")
		say("validate "+fmt.Sprint(one.Definition["name"]), one, nil)
	}
	bad := map[string]interface{}{"connector.class": "FileStreamSource", "name": name, "tasks.max": "many"}
	valid, err = client.PutValidateConnectorConfig(ctx, "FileStreamSource", connect.ValidateConnectorConfigOptions{Config: bad})
	say("validate bad", valid.ErrorCount, err)
	for _, one := range valid.Configs {
		if errors, ok := one.Value["errors"].([]any); ok && len(errors) > 0 {
			say("validate bad", one.Value, nil)
		}
	}
	valid, err = client.PutValidateConnectorConfig(ctx, "NoSuchClass", connect.ValidateConnectorConfigOptions{Config: bad})
	say("validate unknown", valid, err)

	request := connect.CreateConnectorRequest{Name: name, Config: config}
	created, err := client.CreateConnector(ctx, request)
	created.Tasks = nil
	say("create", created, err)
	states("RUNNING", 1)
	created, err = client.CreateConnector(ctx, request)
	say("create again", created, err)
	created, err = client.CreateConnector(ctx, connect.CreateConnectorRequest{Name: "bad", Config: bad})
	say("create with another name", created, err)
	delete(bad, "name")
	created, err = client.CreateConnector(ctx, connect.CreateConnectorRequest{Name: "bad", Config: bad})
	say("create bad", created, err)
	names, err := client.ListConnectors(ctx)
	say("list", names, err)
	expanded, err := client.ListConnectorsExpanded(ctx)
	say("list expanded", expanded, err)
	got, err := client.GetConnector(ctx, name)
	say("get", got, err)
	configured, err := client.GetConnectorConfig(ctx, name)
	say("config", configured, err)
	status, err := client.GetConnectorStatus(ctx, name)
	say("status", status, err)
	config["batch.size"] = "9"
	updated, err := client.PutConnectorConfig(ctx, name, connect.PutConnectorConfigOptions{Config: config})
	updated.Tasks = nil
	say("update", updated, err)
	states("RUNNING", 1)

	until("a topic", func() bool {
		topics, err := client.GetConnectorTopics(ctx, name)
		return err == nil && len(topics[name].Topics) == 1
	})
	topics, err := client.GetConnectorTopics(ctx, name)
	say("topics", topics, err)
	say("pause", nil, client.PauseConnector(ctx, name))
	states("PAUSED", 1)
	say("reset topics", nil, client.ResetConnectorTopics(ctx, name))
	until("no topic", func() bool {
		topics, err := client.GetConnectorTopics(ctx, name)
		return err == nil && len(topics[name].Topics) == 0
	})
	topics, err = client.GetConnectorTopics(ctx, name)
	say("topics after", topics, err)
	say("resume", nil, client.ResumeConnector(ctx, name))
	states("RUNNING", 1)
	for _, tasks := range []bool{false, true} {
		for _, failed := range []bool{false, true} {
			options := connect.RestartConnectorOptions{IncludeTasks: tasks, OnlyFailed: failed}
			say("restart", options, client.RestartConnector(ctx, name, options))
			states("RUNNING", 1)
		}
	}
	say("restart task", nil, client.RestartConnectorTask(ctx, name, 0))
	states("RUNNING", 1)
	say("restart no task", nil, client.RestartConnectorTask(ctx, name, 7))
	say("stop", nil, client.StopConnector(ctx, name))
	states("STOPPED", 0)
	status, err = client.GetConnectorStatus(ctx, name)
	say("status stopped", status, err)
	say("resume", nil, client.ResumeConnector(ctx, name))
	states("RUNNING", 1)
	say("delete", nil, client.DeleteConnector(ctx, name))
	until("gone", func() bool {
		_, err := client.GetConnectorStatus(ctx, name)
		return err != nil
	})
	got, err = client.GetConnector(ctx, name)
	say("get after", got, err)
	configured, err = client.GetConnectorConfig(ctx, name)
	say("config after", configured, err)
	status, err = client.GetConnectorStatus(ctx, name)
	say("status after", status, err)
	say("delete again", nil, client.DeleteConnector(ctx, name))
	say("pause after", nil, client.PauseConnector(ctx, name))
	say("resume after", nil, client.ResumeConnector(ctx, name))
	say("stop after", nil, client.StopConnector(ctx, name))
	say("restart after", nil, client.RestartConnector(ctx, name, connect.RestartConnectorOptions{IncludeTasks: true}))
	say("restart task after", nil, client.RestartConnectorTask(ctx, name, 0))
	say("reset topics after", nil, client.ResetConnectorTopics(ctx, name))
	fmt.Println("ok cloudhut")
}
