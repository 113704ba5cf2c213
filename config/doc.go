// Package config is everything a person can write, and nothing that runs: the configuration file, its includes, the
// objects made through the admin API, their defaults and their checks. Its main type is Config.
package config
