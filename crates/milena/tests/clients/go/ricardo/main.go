// The life cycle of a connector with the client of ricardo-ch/go-kafka-connect, its library and its command
// line, both unchanged; prints what each call answered, the same for every worker.
//
// usage: ricardo KCCLI URL FOLDER
package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	kc "github.com/ricardo-ch/go-kafka-connect/v3/lib/connectors"
)

const patience = 60 * time.Second

var cli, worker, folder = os.Args[1], os.Args[2], os.Args[3]

// say prints a result without what differs from run to run.
func say(what string, result any, err error) {
	text := fmt.Sprintf("%s: ", what)
	if err != nil {
		text += "error " + err.Error()
	} else {
		encoded, failed := json.Marshal(result)
		if failed != nil {
			panic(failed)
		}
		text += string(encoded)
	}
	fmt.Println(clean(text))
}

func clean(text string) string {
	host, _ := url.Parse(worker)
	text = strings.ReplaceAll(text, folder, "FOLDER")
	// Each worker has plugins of its own.
	text, _, _ = strings.Cut(text, ", available connectors are")
	return strings.ReplaceAll(strings.ReplaceAll(text, worker, "URL"), host.Host, "WORKER")
}

func until(what string, holds func() bool) {
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			fmt.Println("never:", what)
			os.Exit(1)
		}
	}
}

func config(name string) map[string]interface{} {
	file := filepath.Join(folder, name+".txt")
	if err := os.WriteFile(file, []byte("one\ntwo\n"), 0o644); err != nil {
		panic(err)
	}
	return map[string]interface{}{
		"connector.class": "FileStreamSource", "tasks.max": "1", "file": file, "topic": "clients-" + name,
	}
}

func request(name string) kc.CreateConnectorRequest {
	return kc.CreateConnectorRequest{ConnectorRequest: kc.ConnectorRequest{Name: name}, Config: config(name)}
}

// states waits until the connector and its only task are in this state.
func states(client kc.HighLevelClient, name, state string) {
	until(name+" "+state, func() bool {
		status, err := client.GetConnectorStatus(kc.ConnectorRequest{Name: name})
		return err == nil && status.ConnectorStatus["state"] == state &&
			len(status.TasksStatus) == 1 && status.TasksStatus[0].State == state
	})
}

func library() {
	name, client := "ricardo", kc.NewClient(worker)
	id := kc.ConnectorRequest{Name: name}
	task := kc.TaskRequest{Connector: name, TaskID: 0}

	missing, err := client.GetConnector(id)
	say("get before", missing, err)
	created, err := client.CreateConnector(request(name), true)
	created.Tasks = nil
	say("create", created, err)
	again, err := client.CreateConnector(request(name), false)
	say("create again", again, err)
	bad := request("bad")
	bad.Config["tasks.max"] = "many"
	refused, err := client.CreateConnector(bad, false)
	say("create bad", refused, err)
	bad.Config = map[string]interface{}{"connector.class": "no.such.Class"}
	refused, err = client.CreateConnector(bad, false)
	say("create unknown", refused, err)
	states(client, name, "RUNNING")
	got, err := client.GetConnector(id)
	say("get", got, err)
	all, err := client.GetAll()
	say("get all", all, err)
	configured, err := client.GetConnectorConfig(id)
	say("config", configured, err)
	status, err := client.GetConnectorStatus(id)
	say("status", status, err)
	tasks, err := client.GetAllTasks(id)
	say("tasks", tasks, err)
	one, err := client.GetTaskStatus(task)
	say("task status", one, err)
	one, err = client.GetTaskStatus(kc.TaskRequest{Connector: name, TaskID: 7})
	say("task status of no task", one, err)

	same, err := client.IsUpToDate(name, config(name))
	say("up to date", same, err)
	more := request(name)
	more.Config["batch.size"] = 9
	same, err = client.IsUpToDate(name, more.Config)
	say("up to date with a change", same, err)
	updated, err := client.UpdateConnector(more, true)
	updated.Tasks = nil
	say("update", updated, err)
	states(client, name, "RUNNING")

	paused, err := client.PauseConnector(id, true)
	say("pause", paused, err)
	states(client, name, "PAUSED")
	resumed, err := client.ResumeConnector(id, true)
	say("resume", resumed, err)
	states(client, name, "RUNNING")
	restarted, err := client.RestartConnector(id)
	say("restart", restarted, err)
	states(client, name, "RUNNING")
	restarted, err = client.RestartTask(task)
	say("restart task", restarted, err)
	states(client, name, "RUNNING")
	restarted, err = client.RestartTask(kc.TaskRequest{Connector: name, TaskID: 7})
	say("restart no task", restarted, err)

	deleted, err := client.DeleteConnector(id, true)
	say("delete", deleted, err)
	missing, err = client.GetConnector(id)
	say("get after", missing, err)
	gone, err := client.GetConnectorConfig(id)
	say("config after", gone, err)
	none, err := client.GetAllTasks(id)
	say("tasks after", none, err)
	deleted, err = client.DeleteConnector(id, false)
	say("delete again", deleted, err)
	paused, err = client.PauseConnector(id, false)
	say("pause after", paused, err)
	restarted, err = client.RestartConnector(id)
	say("restart after", restarted, err)
}

func deployments() {
	client := kc.NewClient(worker)
	say("deploy", nil, client.DeployConnector(request("deployed-0")))
	say("deploy the same", nil, client.DeployConnector(request("deployed-0")))
	changed := request("deployed-0")
	changed.Config["batch.size"] = 9
	say("deploy a change", nil, client.DeployConnector(changed))
	many := []kc.CreateConnectorRequest{request("deployed-0"), request("deployed-1"), request("deployed-2")}
	client.SetParallelism(2)
	say("deploy many", nil, client.DeployMultipleConnector(many))
	all, err := client.GetAll()
	sort.Strings(all.Connectors)
	say("get all", all, err)
	for _, one := range many {
		states(client, one.Name, "RUNNING")
		same, err := client.IsUpToDate(one.Name, one.Config)
		say("up to date", same, err)
	}
	bad := request("deployed-bad")
	bad.Config["tasks.max"] = "many"
	say("deploy many with a bad one", nil, client.DeployMultipleConnector([]kc.CreateConnectorRequest{many[0], bad}))
	for _, one := range many {
		deleted, err := client.DeleteConnector(one.ConnectorRequest, true)
		say("delete", deleted, err)
	}
}

func commands() {
	client := kc.NewClient(worker)
	run := func(args ...string) {
		out, err := exec.Command(cli, append([]string{"--url", worker, "-H", "X-From: kccli"}, args...)...).CombinedOutput()
		fmt.Println(clean("kccli " + strings.Join(args, " ")))
		fmt.Print(clean(string(out)))
		if err != nil {
			fmt.Println("ended with", err)
		}
	}
	encoded := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	name := "kccli"
	path := filepath.Join(folder, "kccli.json")
	if err := os.WriteFile(path, []byte(encoded(request(name))), 0o644); err != nil {
		panic(err)
	}
	run("create", "--path", path, "--sync")
	states(client, name, "RUNNING")
	run("list")
	run("get", "-n", name)
	run("get", "-n", name, "--status")
	run("get", "-n", name, "--config")
	run("get", "-n", name, "--tasks")
	more := config(name)
	more["batch.size"] = 9
	run("update", "-n", name, "--string", encoded(more), "--sync")
	states(client, name, "RUNNING")
	run("pause", "-n", name, "--sync")
	run("resume", "-n", name, "--sync")
	states(client, name, "RUNNING")
	run("deploy", "--path", path)
	run("get", "-n", name, "--config")
	states(client, name, "RUNNING")
	run("delete", "-n", name, "--sync")
	run("get", "-n", name)
	run("delete", "-n", name)
}

func main() {
	library()
	deployments()
	commands()
	fmt.Println("ok ricardo")
}
