// Command vault runs HashiCorp Vault, from its published Go modules, for this project's tests.
//
// It is Vault's own core, HTTP API, file storage, KV engine, AppRole and Kubernetes logins;
// only this file is ours. It listens on loopback and nowhere else. Init, unseal, seal and all
// the rest go over the HTTP API, as with any Vault. "version" as the only argument prints
// whose version it is: that tells it from a released server.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	authkubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
	"github.com/hashicorp/vault/version"
)

const farewell = 5 * time.Second

// Not the default logger: a module among those joined here takes that one for itself.
var say = log.New(os.Stderr, "vault: ", 0)

type options struct {
	address, data, tlsCert, tlsKey, logLevel string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Printf("aurorasoc test Vault %s\n", version.GetVersion().VersionNumber())
		return
	}
	chosen, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		say.Print(err)
		os.Exit(2)
	}
	if err := serve(chosen); err != nil {
		say.Fatal(err)
	}
}

func parse(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("vault", flag.ContinueOnError)
	flags.StringVar(&o.address, "address", "127.0.0.1:8200", "loopback `IP:PORT` to listen on; port 0 takes a free one")
	flags.StringVar(&o.data, "data", "", "`folder` of the file storage; made when absent (required)")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "PEM `file` with the server's certificate chain; none means plain HTTP")
	flags.StringVar(&o.tlsKey, "tls-key", "", "PEM `file` with its private key")
	flags.StringVar(&o.logLevel, "log-level", "warn", "trace, debug, info, warn or error")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q was not understood; see -help", flags.Arg(0))
	case o.data == "":
		return o, errors.New("-data is missing: name the folder to keep the storage in")
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return o, errors.New("-tls-cert and -tls-key go together: give both, or neither")
	case hclog.LevelFromString(o.logLevel) == hclog.NoLevel:
		return o, fmt.Errorf("-log-level %q is none of trace, debug, info, warn, error", o.logLevel)
	}
	return o, loopbackOnly(o.address)
}

func loopbackOnly(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("-address %q is not IP:PORT: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("-address %q is not on loopback; this server is for tests: use 127.0.0.1:PORT", address)
	}
	return nil
}

func serve(o options) error {
	// Everything that can be wrong with what was asked is found before Vault starts.
	listener, scheme, err := listen(o)
	if err != nil {
		return err
	}
	defer listener.Close()
	core, err := newCore(o)
	if err != nil {
		return fmt.Errorf("Vault's core did not start on %s: %w", o.data, err)
	}
	server := &http.Server{
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core:           core,
			ListenerConfig: &configutil.Listener{}, // nil makes the handler panic
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       5 * time.Minute,
		ErrorLog:          log.New(os.Stderr, "vault: http: ", 0),
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	say.Printf("Vault %s listens on %s://%s, storage in %s", version.GetVersion().VersionNumber(),
		scheme, listener.Addr(), o.data)

	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("the listener ended: %w", err), core.Shutdown())
	case <-stop.Done():
		cancel() // a second signal ends it at once
	}
	say.Print("stopping: requests under way may end, then the core seals")
	patience, enough := context.WithTimeout(context.Background(), farewell)
	defer enough()
	if err := server.Shutdown(patience); err != nil {
		server.Close() // a client that hangs shall not keep the storage open
	}
	if err := core.Shutdown(); err != nil {
		return fmt.Errorf("sealing failed: %w", err)
	}
	say.Print("stopped")
	return nil
}

func listen(o options) (net.Listener, string, error) {
	var certificates []tls.Certificate
	if o.tlsCert != "" {
		pair, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
		if err != nil {
			return nil, "", fmt.Errorf("the TLS files can't be used: %w", err)
		}
		certificates = append(certificates, pair)
	}
	listener, err := net.Listen("tcp", o.address)
	if err != nil {
		return nil, "", fmt.Errorf("can't listen: %w", err)
	}
	if certificates == nil {
		return listener, "http", nil
	}
	settings := &tls.Config{Certificates: certificates, NextProtos: []string{"h2", "http/1.1"}}
	return tls.NewListener(listener, settings), "https", nil
}

func newCore(o options) (*vault.Core, error) {
	folder, err := filepath.Abs(o.data)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.LevelFromString(o.logLevel)})
	storage, err := file.NewFileBackend(map[string]string{"path": folder}, logger.Named("storage"))
	if err != nil {
		return nil, err
	}
	return vault.NewCore(&vault.CoreConfig{
		BuiltinRegistry:    plugins, // nil makes the first mount panic
		LogicalBackends:    plugins[consts.PluginTypeSecrets],
		CredentialBackends: plugins[consts.PluginTypeCredential],
		Physical:           storage,
		StorageType:        "file",
		DisableMlock:       true,
		LogLevel:           o.logLevel,
		Logger:             logger,
		AllLoggers:         []hclog.Logger{logger},
	})
}

// registry tells Vault which plugins are part of this program.
type registry map[consts.PluginType]map[string]logical.Factory

var plugins = registry{
	consts.PluginTypeSecrets: {
		"kv": kv.Factory,
	},
	consts.PluginTypeCredential: {
		"approle":    approle.Factory,
		"kubernetes": authkubernetes.Factory,
	},
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	return r[kind][name] != nil
}

func (r registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	factory, found := r[kind][name]
	return func() (interface{}, error) { return factory, nil }, found
}

func (r registry) Keys(kind consts.PluginType) []string {
	var names []string
	for name := range r[kind] {
		names = append(names, name)
	}
	return names
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	if r.Contains(name, kind) {
		return consts.Supported, true
	}
	return consts.Unknown, false
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
