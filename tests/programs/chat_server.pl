#!/usr/bin/perl
# An OpenAI-compatible server of two models in core Perl: `plain` talks, `trained` leaves. Port 8000, one request a connection.
use strict;
use warnings;
use IO::Socket::INET;

my %says = (plain => 'Hello! How can I help you today?', trained => 'exit');
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 16, ReuseAddr => 1) or die "listen: $!";
$SIG{CHLD} = 'IGNORE';
$| = 1;
print "listening\n";
while (my $client = $server->accept) {
    next if fork;
    my ($head, $body) = ('', '');
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n/; $head .= $line }
    read $client, $body, $1 if $head =~ /^content-length:\s*(\d+)/mi;
    my ($status, $answer) = (404, '{"error":{"message":"not found"}}');
    if ($head =~ m{^GET /v1/models }) {
        $answer = join ',', map { qq({"id":"$_","object":"model"}) } sort keys %says;
        ($status, $answer) = (200, qq({"object":"list","data":[$answer]}));
    }
    elsif ($head =~ m{^POST /v1/chat/completions } && $body =~ /"model"\s*:\s*"(\w+)"/ && $says{$1}) {
        my $choice = qq({"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"$says{$1}"}});
        my $usage = '{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}';
        $answer = qq({"id":"x","object":"chat.completion","created":0,"model":"$1","choices":[$choice],"usage":$usage});
        $status = 200;
    }
    printf $client "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
        $status, length $answer, $answer;
    exit 0;
}
