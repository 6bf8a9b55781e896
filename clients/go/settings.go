package batchprogress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// DefaultServer is where a server listens unless it is told otherwise.
const DefaultServer = "127.0.0.1:50051"

// Settings say how a server is reached.
type Settings struct {
	// Server is host:port, or any gRPC name: dns:///progress:50051 finds every replica. Default: DefaultServer.
	Server string
	// TLS uses TLS with the system's CA certificates.
	TLS bool
	// CA is a PEM file: TLS with the CA certificates in it. All files are read again for each new connection.
	CA string
	// Certificate is the PEM file with the client's own certificate, and Key the one with its key.
	Certificate, Key string
	// TokenFile is the file with a bearer token, which is read again for each call.
	TokenFile string
	// Token returns the current bearer token, instead of TokenFile. It is asked before each call.
	Token func(context.Context) (string, error)
}

// SettingsFromEnvironment reads the environment variables of the command line `batchprogress`.
func SettingsFromEnvironment() (Settings, error) {
	usesTLS, err := boolean("BATCHPROGRESS_TLS")
	return Settings{
		Server:      os.Getenv("BATCHPROGRESS_SERVER"),
		TLS:         usesTLS,
		CA:          os.Getenv("BATCHPROGRESS_CA"),
		Certificate: os.Getenv("BATCHPROGRESS_CERTIFICATE"),
		Key:         os.Getenv("BATCHPROGRESS_KEY"),
		TokenFile:   os.Getenv("BATCHPROGRESS_TOKEN_FILE"),
	}, err
}

func boolean(name string) (bool, error) {
	switch text := os.Getenv(name); strings.ToLower(text) {
	case "1", "true", "t", "yes", "y", "on":
		return true, nil
	case "", "0", "false", "f", "no", "n", "off":
		return false, nil
	default:
		return false, fmt.Errorf("%s is %s: set it to true or false", name, text)
	}
}

func (s Settings) server() string {
	if s.Server == "" {
		return DefaultServer
	}
	return s.Server
}

// credentials returns those of the transport, after a look at the files: a missing one is reported before
// anything is sent.
func (s Settings) credentials() (credentials.TransportCredentials, error) {
	if (s.Certificate == "") != (s.Key == "") {
		return nil, errors.New("a certificate and its key go together: give both files, or neither")
	}
	if !s.TLS && s.CA == "" && s.Certificate == "" {
		return insecure.NewCredentials(), nil
	}
	first, err := s.read()
	return &renewed{first, s}, err
}

// read returns credentials from the files as they are now.
func (s Settings) read() (credentials.TransportCredentials, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		authorities, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("%s holds no certificate", s.CA)
		}
	}
	if s.Certificate != "" {
		own, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(config), nil
}

// renewed reads the files again for each new connection.
type renewed struct {
	credentials.TransportCredentials
	settings Settings
}

func (r *renewed) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	current, err := r.settings.read()
	if err != nil { // a file is being replaced: those read before may still do
		current = r.TransportCredentials
	}
	return current.ClientHandshake(ctx, authority, conn)
}

func (r *renewed) Clone() credentials.TransportCredentials {
	return &renewed{r.TransportCredentials.Clone(), r.settings}
}

// token is what authorizes each call.
type token func(context.Context) (string, error)

func (t token) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	current, err := t(ctx)
	return map[string]string{"authorization": "Bearer " + current}, err
}

// RequireTransportSecurity leaves the choice to whoever runs the program, as the Python client does.
func (token) RequireTransportSecurity() bool { return false }

func tokenIn(file string) token {
	return func(context.Context) (string, error) {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		text := strings.TrimSpace(string(content))
		if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return "", fmt.Errorf("%s holds no token", file)
		}
		return text, nil
	}
}
