#!/usr/bin/ruby
# ruby-jwt: its loader is asked for the key set, and once more for a kid that
# is not there.
require 'json'
require 'jwt'
require 'net/http'

url, alg, issuer = ARGV
keys = nil
fetches = 0
fetch = lambda do
  fetches += 1
  keys = JSON.parse(Net::HTTP.get(URI(url)))
end
loader = lambda do |options|
  fetch.call if keys.nil? || options[:kid_not_found] || options[:invalidate]
  keys
end

$stdout.sync = true
STDIN.each_line do |line|
  word = line.strip
  answer =
    begin
      if word == 'refresh'
        fetch.call
        { refreshed: 'another fetch for the loader' }
      else
        claims, = JWT.decode(word, nil, true, algorithms: [alg], jwks: loader,
                                              iss: issuer, verify_iss: true)
        { claims: claims }
      end
    rescue JWT::DecodeError, JWT::JWKError, NotImplementedError,
           ArgumentError => e
      { error: "#{e.class}: #{e.message}" }
    end
  puts answer.merge(fetches: fetches).to_json
end
