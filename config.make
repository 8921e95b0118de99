# Read at the end of nginx's ./configure, after `config`: the rule for the library, and what is linked anew with it.

bedrock_sources=`find "$bedrock_dir/src" "$bedrock_dir/crates" \( -name '*.rs' -o -name '*.[ch]' -o -name Cargo.toml \) -print | tr '\n' ' '`

if [ $bedrock_link = DYNAMIC ]; then
    bedrock_binary=$NGX_OBJS/ngx_http_bedrock_module.so
else
    bedrock_binary=$NGX_OBJS/nginx
fi

cat << END >> $NGX_MAKEFILE

$bedrock_binary:	$bedrock_lib

$bedrock_lib:	$bedrock_sources $bedrock_dir/Cargo.toml $bedrock_dir/Cargo.lock $bedrock_dir/build.rs $NGX_OBJS/ngx_auto_config.h
	cd $bedrock_dir && NGINX_SOURCE_DIR=\$(CURDIR) NGINX_BUILD_DIR=$bedrock_objs \\
		$bedrock_cargo rustc --locked --lib --crate-type staticlib --features linked-by-nginx \\
		--profile $bedrock_profile --target-dir $bedrock_target
	touch $bedrock_lib

END
