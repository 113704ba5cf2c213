// Package client calls the admin API of a running gateway, and holds the types of that API: the server encodes the very
// same ones. Configuration objects are those of package config. It retries nothing and keeps no state; its main type is
// Client.
package client
