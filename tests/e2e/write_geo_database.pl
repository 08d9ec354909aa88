# write_geo_database.pl FILE IP_VERSION: writes a database in MaxMind's DB format. Standard input has
# a network in each line: NETWORK LATITUDE LONGITUDE, or NETWORK alone for one whose country is known
# and whose place is not.
use strict;
use warnings;

use MaxMind::DB::Writer::Tree;

my %type_of = (
    country   => 'map',
    iso_code  => 'utf8_string',
    location  => 'map',
    latitude  => 'double',
    longitude => 'double',
);

my ($path, $ip_version) = @ARGV;
my $tree = MaxMind::DB::Writer::Tree->new(
    ip_version            => $ip_version,
    record_size           => 24,
    database_type         => 'Weir-Test-City',
    languages             => ['en'],
    description           => { en => 'Networks for examples, at places of our choice' },
    map_key_type_callback => sub { $type_of{ $_[0] } },
    # Networks for examples and loopback are what tests have.
    remove_reserved_networks => 0,
);
while (my $line = <STDIN>) {
    chomp $line;
    my ($network, $latitude, $longitude) = split ' ', $line;
    my %record = (country => { iso_code => 'ZZ' });
    $record{location} = { latitude => $latitude, longitude => $longitude } if defined $latitude;
    $tree->insert_network($network, \%record);
}
open my $file, '>:raw', $path or die "cannot write $path: $!\n";
$tree->write_tree($file);
close $file or die "cannot write $path: $!\n";
