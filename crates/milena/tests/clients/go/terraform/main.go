// The life cycle of a connector with Mongey's Terraform provider, unchanged: configured, planned and applied in
// this process through the plugin SDK, as no terraform program is needed for it. Prints each state, the same for
// every worker.
//
// usage: terraform URL FOLDER
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/Mongey/terraform-provider-kafka-connect/connect"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/hashicorp/terraform-plugin-sdk/v2/terraform"
)

const kind = "kafka-connect_connector"

var (
	worker, folder = os.Args[1], os.Args[2]
	out            = os.Stdout
)

func say(what string, state *terraform.InstanceState, diags diag.Diagnostics) {
	text := what + ":"
	for _, one := range diags {
		text += " error " + one.Summary
	}
	if state == nil {
		text += " no state"
	} else {
		keys := make([]string, 0, len(state.Attributes))
		for key := range state.Attributes {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			text += fmt.Sprintf(" %s=%s", key, state.Attributes[key])
		}
	}
	text = strings.ReplaceAll(text, worker, "URL")
	fmt.Fprintln(out, strings.ReplaceAll(text, folder, "FOLDER"))
}

func main() {
	// The provider prints and logs as it goes, with what differs from run to run.
	os.Stdout = os.Stderr
	log.SetOutput(io.Discard)
	ctx, provider := context.Background(), connect.Provider()
	if err := provider.InternalValidate(); err != nil {
		log.Fatal(err)
	}
	say("configure", nil, provider.Configure(ctx, terraform.NewResourceConfigRaw(map[string]any{
		"url": worker, "headers": map[string]any{"X-From": "terraform"},
	})))
	resource, meta := provider.ResourcesMap[kind], provider.Meta()

	file := filepath.Join(folder, "terraform.txt")
	if err := os.WriteFile(file, []byte("one\ntwo\n"), 0o644); err != nil {
		panic(err)
	}
	wanted := func(more map[string]any) map[string]any {
		config := map[string]any{
			"name": "terraform", "connector.class": "FileStreamSource", "tasks.max": "1", "file": file,
		}
		for key, value := range more {
			config[key] = value
		}
		return map[string]any{
			"name": "terraform", "config": config,
			"config_sensitive": map[string]any{"topic": "clients-terraform"},
			// One refusal with 409 is enough: the client below retries it by itself already.
			"timeouts": map[string]any{"create": "1s"},
		}
	}
	// A plan and its application, as `terraform apply` does them.
	apply := func(what string, state *terraform.InstanceState, config map[string]any) *terraform.InstanceState {
		raw := terraform.NewResourceConfigRaw(config)
		if found := provider.ValidateResource(kind, raw); len(found) > 0 {
			say(what+" (validate)", state, found)
			return state
		}
		plan, err := resource.SimpleDiff(ctx, state, raw, meta)
		if err != nil {
			say(what+" (plan)", state, diag.FromErr(err))
			return state
		}
		if plan.Empty() {
			say(what+" (nothing to do)", state, nil)
			return state
		}
		limits := &schema.ResourceTimeout{}
		if err := limits.ConfigDecode(resource, raw); err != nil {
			panic(err)
		}
		if err := limits.DiffEncode(plan); err != nil {
			panic(err)
		}
		done, found := resource.Apply(ctx, state, plan, meta)
		say(what, done, found)
		return done
	}
	read := func(what string, state *terraform.InstanceState) *terraform.InstanceState {
		now, found := resource.RefreshWithoutUpgrade(ctx, state, meta)
		say(what, now, found)
		return now
	}

	apply("create bad", nil, wanted(map[string]any{"tasks.max": "many"}))
	apply("create with another name", nil, wanted(map[string]any{"name": "other"}))
	state := apply("create", nil, wanted(nil))
	state = read("read", state)
	state = apply("the same", state, wanted(nil))
	apply("create again", nil, wanted(nil))
	imported, err := provider.ImportState(ctx, &terraform.InstanceInfo{Type: kind}, "terraform")
	say("import", imported[0], diag.FromErr(err))
	read("read the imported", imported[0])
	state = apply("update", state, wanted(map[string]any{"batch.size": "9"}))
	state = read("read", state)
	apply("update bad", state, wanted(map[string]any{"tasks.max": "0"}))
	state = read("read", state)
	deleted, found := resource.Apply(ctx, state, &terraform.InstanceDiff{Destroy: true}, meta)
	say("delete", deleted, found)
	read("read after", state)
	deleted, found = resource.Apply(ctx, state, &terraform.InstanceDiff{Destroy: true}, meta)
	say("delete again", deleted, found)
	fmt.Fprintln(out, "ok terraform")
}
