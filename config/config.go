package config

import (
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// Config is the whole configuration. Everything in it but version is optional.
type Config struct {
	// Version of the configuration's format.
	Version int `json:"version" required:"true" enum:"1"`
	// Include names further files, by patterns relative to this one, whose objects are added to it.
	Include []string `json:"include,omitempty"`
	// Listeners accept the connections of clients. Without any there is one, web, on :8080.
	Listeners map[string]*Listener `json:"listeners,omitempty" keys:"name"`
	// Admin is the admin API.
	Admin Admin `json:"admin"`
	// DrainTimeout is how long open exchanges may take to finish when the gateway is told to leave.
	DrainTimeout spec.Duration `json:"drain_timeout" default:"30s"`
	// Overload is what the gateway does when it is short of something itself.
	Overload Overload `json:"overload"`
	// Store keeps what comes through the admin API.
	Store Store `json:"store"`
	// Cache is where the cache filters keep answers.
	Cache CacheStorage `json:"cache"`
	// Log is the gateway's own log, on the standard error.
	Log Log `json:"log"`
	// AccessLog has one line for each exchange.
	AccessLog AccessLog `json:"access_log"`
	// Errors say in what form failures are answered, wherever a route does not say it.
	Errors Errors `json:"errors"`
	// Defaults are what a service or route does not say for itself; registered hosts have nothing else.
	Defaults Defaults `json:"defaults"`
	// Services by name.
	Services map[string]*Service `json:"services,omitempty" keys:"name"`
	// Routes by name.
	Routes map[string]*Route `json:"routes,omitempty" keys:"name"`
}

// Admin is the admin API.
type Admin struct {
	// Address to listen on. Anything but loopback needs a token or a client_ca.
	Address string `json:"address" default:"127.0.0.1:9190" check:"listen"`
	// Token that every call must carry as a bearer; empty is none.
	Token spec.Secret `json:"token,omitempty"`
	// TLS makes the admin API speak HTTPS.
	TLS *AdminTLS `json:"tls,omitempty"`
}

// AdminTLS makes the admin API speak HTTPS.
type AdminTLS struct {
	// Cert is the PEM file of the certificate.
	Cert string `json:"cert" required:"true"`
	// Key is the PEM file of its private key.
	Key string `json:"key" required:"true"`
	// ClientCA is a PEM file of authorities: clients must show a certificate signed by one of them.
	ClientCA string `json:"client_ca,omitempty"`
}

// Store keeps what comes through the admin API.
type Store struct {
	// Path of the bbolt file, relative to the data directory.
	Path string `json:"path" default:"sallyport.db"`
}

// Log is the gateway's own log.
type Log struct {
	// Level is the least one that is logged.
	Level string `json:"level" default:"info" enum:"debug,info,warn,error"`
	// Format of a line.
	Format string `json:"format" default:"json" enum:"json,text"`
}

// AccessLog has one line for each exchange.
type AccessLog struct {
	// Path of the file; - is the standard output, and "" is off.
	Path string `json:"path" default:"-"`
	// Format of a line: json, or combined as Apache writes it.
	Format string `json:"format" default:"json" enum:"json,combined"`
	// Query says how much of a query string is logged: masked shows the names and * for the values, full shows all, off
	// nothing. Values often are secrets.
	Query string `json:"query" default:"masked" enum:"masked,full,off"`
	// Sample is the share of exchanges that are logged, 0 to 1; those that end in a 5xx always are.
	Sample float64 `json:"sample" default:"1.0" min:"0" max:"1"`
}

// Defaults are what a service or route does not say for itself.
type Defaults struct {
	// Service has the defaults of every service, registered hosts included.
	Service Service `json:"service"`
	// Filters run before those of a route.
	Filters filter.List `json:"filters,omitempty"`
}
